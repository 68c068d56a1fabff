import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { readText } from './repository.js'

/** The reference is made of what stands above each declaration: whatever an entry exports has a word there, and each member of it. */
const entries = ['src/index.ts', 'src/observe/index.ts', 'src/jetstream/index.ts']

interface Exported {
  readonly name: string
  readonly path: string
}

function exportsOf(entry: string): Exported[] {
  return [...readText(entry).matchAll(/^export (?:type )?\{([^}]+)\} from '(.+)\.js'/gm)].flatMap(([, names, from]) =>
    names!
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter((name) => name !== '')
      .map((name) => ({ name, path: join(dirname(entry), `${from}.ts`) })),
  )
}

/** Names without a comment right above them: that of the declaration, and those of its members. */
function withoutAWord({ name, path }: Exported): string[] {
  const lines = readText(path).split('\n')
  const start = lines.findIndex((line) =>
    new RegExp(`^export (?:abstract )?(?:interface|type|class|(?:async )?function|const) ${name}\\b`).test(line),
  )
  expect(start, `${name} is declared in ${path}`).toBeGreaterThan(0)
  const isTold = (place: number) => /\*\/$/.test(lines[place - 1]!)
  const missing = isTold(start) ? [] : [name]
  const isInterface = lines[start]!.startsWith('export interface')
  // Of a class only what says that it is a field: the rest is code.
  const member = isInterface
    ? /^ {2,}(?:readonly )?([\w$]+)\??(?:<[^>]*>)?[:(]/
    : /^ {2}(?:static |override |declare |readonly )+([\w$]+)\??[:=]/
  if (!isInterface && !lines[start]!.startsWith('export class')) return missing
  const end = lines.findIndex((line, place) => place > start && line.startsWith('}'))
  for (let place = start + 1; place < end; place++) {
    const found = member.exec(lines[place]!)?.[1]
    // A line that ends in a comma is one of several parameters.
    if (found !== undefined && !lines[place]!.endsWith(',') && !isTold(place)) missing.push(`${name}.${found}`)
  }
  return missing
}

it.each(entries)('everything that %s exports has a word about it, and so has each of its members', (entry) => {
  const exported = exportsOf(entry)
  expect(exported.length).toBeGreaterThan(0)
  expect(exported.flatMap(withoutAWord)).toEqual([])
})
