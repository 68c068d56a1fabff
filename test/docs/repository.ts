import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The documents of the project: at the root, in docs/ and the folders in it, and the benchmark's. */
export function documents(): string[] {
  const inFolder = (folder: string, recursive = false) =>
    readdirSync(join(root, folder), { recursive, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name))
  return [...inFolder('.'), ...inFolder('docs', true), ...inFolder('bench')]
}

/** Code blocks between ``` fences, by language. */
export function codeBlocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]!)
}

/** A folder in which `bookend` is installed, as in an application, and the one other package that a recipe needs. */
export function makeApplication(): string {
  const folder = mkdtempSync(join(os.tmpdir(), 'bookend-docs-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(root, 'node_modules', 'croner'), join(folder, 'node_modules', 'croner'), 'dir')
  symlinkSync(root, join(folder, 'node_modules', 'bookend'), 'dir')
  return folder
}

/** A limit for programs that hang, below that of a test: on a machine that has other work to do each takes many times as long. */
const hangMs = 150_000

/** Runs a program to its end and returns what it printed. Rejects if it fails or writes to stderr. */
export async function runProgram(file: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, ...args], { cwd, timeout: hangMs })
  if (stderr !== '') throw new Error(`${file} wrote to stderr: ${stderr}`)
  return stdout
}
