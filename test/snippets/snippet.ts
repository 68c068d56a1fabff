import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readText } from '../docs/repository.js'

/** A block of code on a page. */
export interface Snippet {
  readonly language: string
  readonly text: string
  /** Of the file that its first line names, if it does. */
  readonly name: string | undefined
  /** What the page says that it prints: the block of language `text` that follows with "It prints:" in between. */
  readonly prints: string | undefined
}

const fence = /^```(\w*)\n(.*?)^```$(?:\n\nIt prints:\n\n```text\n(.*?)^```$)?/gms

export function snippetsOf(page: string, ...languages: string[]): Snippet[] {
  return [...readText(page).matchAll(fence)]
    .map(([, language, text, prints]) => {
      const name = /^\/\/ ([\w.-]+\.m?[jt]s)\b/.exec(text!)?.[1]
      return { language: language!, text: text!, name, prints }
    })
    .filter(({ language }) => languages.includes(language))
}

/** What a page takes for granted around a snippet. */
export interface Surroundings {
  /** Tells the snippet: some text in it. */
  readonly has: string
  /** Code before it, and code after it. */
  readonly before?: string
  readonly after?: string
  /** Runs the program in another way than alone and to its end. */
  readonly drive?: (start: (...args: string[]) => Running) => Promise<void>
  /** It is a module that other snippets of the page load. */
  readonly isModule?: boolean
}

/** A program as it runs: what it has said so far, and how it ends. */
export class Running {
  readonly child: ChildProcess
  output = ''
  errors = ''
  readonly #ended: Promise<number | NodeJS.Signals>
  #tell = (): void => {}

  constructor(file: string, args: readonly string[], cwd: string) {
    this.child = spawn(process.execPath, [...args, file], { cwd, stdio: 'pipe' })
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
      this.#tell()
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    this.#ended = new Promise((resolve, reject) => {
      this.child.on('error', reject).on('close', (code, signal) => {
        resolve(code ?? signal!)
        this.#tell()
      })
    })
  }

  /** Resolves when it has printed that. */
  async said(text: string): Promise<void> {
    let isOver = false
    void this.#ended.then(() => {
      isOver = true
    })
    while (!this.output.includes(text)) {
      if (isOver) throw new Error(`it ended without having said ${text}: ${this.output}${this.errors}`)
      await new Promise<void>((resolve) => {
        this.#tell = resolve
      })
    }
  }

  /** Its exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals> {
    return this.#ended
  }
}

/** The program that a snippet is, or that is made of one which begins where a log is open already. */
export function programOf(
  snippet: Snippet,
  { before = '', after = '' }: Partial<Surroundings>,
  number: number,
): string {
  const { text, name } = snippet
  const isWhole = name !== undefined || (/\bopen\(/.test(text) && /from 'bookend'/.test(text))
  if (isWhole) return `${before}\n${text}\n${after}`
  const imports = text.match(/^import .*$/gm) ?? []
  return [
    "import { bytes, connect, json, open, text } from 'bookend'",
    ...imports,
    `const log = await open('./log-${number}')`,
    'try {',
    before,
    text.replaceAll(/^import .*$/gm, ''),
    after,
    '} catch (error) {',
    "  if (error.code !== 'BOOKEND_CLOSED') throw error",
    '} finally {',
    '  await log.close()',
    '}',
  ].join('\n')
}

export function writeFile(folder: string, name: string, text: string): string {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}
