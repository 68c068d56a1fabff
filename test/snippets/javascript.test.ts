import { rmSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { documents, makeApplication } from '../docs/repository.js'
import { programOf, Running, type Surroundings, snippetsOf, writeFile } from './snippet.js'
import { surroundings } from './surroundings.js'

/** Of these the snippets are run where their subject is tested: the README's beside it, the benchmark's modules by the benchmark. */
const elsewhere = ['README.md', 'docs/own-benchmarks.md']
const pages = documents().filter((page) => !elsewhere.includes(page) && snippetsOf(page, 'js').length > 0)
let folder: string | undefined

afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  folder = undefined
})

it.each(pages)('the programs of %s run, and print what it says', async (page) => {
  const cwd = makeApplication()
  folder = cwd
  const snippets = snippetsOf(page, 'js').map((snippet, number) => {
    const around: Partial<Surroundings> = surroundings[page]?.find(({ has }) => snippet.text.includes(has)) ?? {}
    const isModule = around.isModule === true || /^export /m.test(snippet.text)
    const text = isModule ? `${around.before ?? ''}\n${snippet.text}` : programOf(snippet, around, number)
    return { ...snippet, around, isModule, file: writeFile(cwd, snippet.name ?? `snippet-${number}.mjs`, text) }
  })
  for (const { around, prints, isModule, file, name, text } of snippets) {
    if (isModule) {
      expect(
        snippets.some((other) => other.text !== text && other.text.includes(`./${name}`)),
        `${name} is used`,
      ).toBe(true)
      continue
    }
    if (around.drive !== undefined) {
      await around.drive((...args) => new Running(file, args, cwd))
      continue
    }
    const program = new Running(file, [], cwd)
    expect([await program.ended(), program.errors], text).toEqual([0, ''])
    if (prints !== undefined) expect(program.output).toBe(prints)
  }
})

it('what is said about a snippet is said about one that is there', () => {
  for (const [page, entries] of Object.entries(surroundings)) {
    const texts = snippetsOf(page, 'js').map(({ text }) => text)
    for (const { has } of entries)
      expect(
        texts.filter((text) => text.includes(has)),
        `${page}: ${has}`,
      ).toHaveLength(1)
  }
})
