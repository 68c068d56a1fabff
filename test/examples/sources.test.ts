import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../examples/word-count/input-error.js'
import { findSources, findTextFiles, requireSources } from '../../examples/word-count/sources.js'
import { temporaryFolder } from './temporary-folder.js'

function write(folder: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
}

describe('findSources', () => {
  test('finds the files of a folder in sorted order, named from the folder on', async () => {
    const folder = temporaryFolder()
    write(folder, { 'b.log': 'b', 'a/deep/c.log': 'ccc', 'a.log.gz': '' })
    const { sources } = await findSources([folder])
    expect(sources.map(({ name, bytes, isCompressed }) => [name, bytes, isCompressed])).toEqual([
      ['a.log.gz', 0, true],
      ['a/deep/c.log', 3, false],
      ['b.log', 1, false],
    ])
  })

  test('leaves out links, hidden entries and binary files of a folder, and counts the latter', async () => {
    const folder = temporaryFolder()
    write(folder, { 'text.txt': 'text', 'binary.bin': 'a\0b', '.hidden': 'h', '.git/config': 'g' })
    symlinkSync(join(folder, 'text.txt'), join(folder, 'link.txt'))
    symlinkSync(folder, join(folder, 'loop'))
    const found = await findSources([folder])
    expect(found.sources.map(({ name }) => name)).toEqual(['text.txt'])
    expect(found.binaryCount).toBe(1)
  })

  test('takes a named file as it is, binary, hidden or linked', async () => {
    const folder = temporaryFolder()
    write(folder, { '.binary': 'a\0b' })
    symlinkSync(join(folder, '.binary'), join(folder, 'link'))
    const { sources } = await findSources([join(folder, '.binary'), join(folder, 'link')])
    expect(sources.map(({ name }) => name)).toEqual(['.binary', 'link'])
  })

  test('names files from their common folder on, in the order given', async () => {
    const folder = temporaryFolder()
    write(folder, { 'x/one.log': '', 'xy/two.log': '' })
    const { sources } = await findSources([join(folder, 'xy/two.log'), join(folder, 'x')])
    expect(sources.map(({ name }) => name)).toEqual(['xy/two.log', 'x/one.log'])
  })

  test('takes a file once, however often it is named', async () => {
    const folder = temporaryFolder()
    write(folder, { 'a.log': 'a' })
    const { sources } = await findSources([join(folder, 'a.log'), folder, join(folder, '.', 'a.log')])
    expect(sources).toHaveLength(1)
  })

  test('knows standard input by its dash', async () => {
    const { sources } = await findSources(['-'])
    expect(sources).toEqual([{ name: 'stdin', path: undefined, isCompressed: false, bytes: undefined }])
  })

  test('stops before the file that passes a limit, and says how many it left', async () => {
    const folder = temporaryFolder()
    write(folder, { 'a.log': '1234', 'b.log': '1234', 'c.log': '1' })
    expect(await findSources([folder], { maxBytes: 7 })).toMatchObject({
      sources: [{ name: 'a.log' }],
      beyondLimitCount: 2,
    })
    expect((await findSources([folder], { maxFiles: 2 })).sources.map(({ name }) => name)).toEqual(['a.log', 'b.log'])
  })

  test('rejects a path that is not there, and names it', async () => {
    const missing = join(temporaryFolder(), 'missing.log')
    const failure = findSources([missing])
    await expect(failure).rejects.toThrow(InputError)
    await expect(failure).rejects.toThrow(`cannot read ${missing}: no such file or folder`)
  })

  test.skipIf(process.getuid?.() === 0)('rejects a file without permission, also inside a folder', async () => {
    const folder = temporaryFolder()
    write(folder, { 'secret.log': 's' })
    chmodSync(join(folder, 'secret.log'), 0)
    await expect(findSources([join(folder, 'secret.log')])).rejects.toThrow('permission denied')
    await expect(findSources([folder])).rejects.toThrow('permission denied')
  })
})

describe('findTextFiles', () => {
  test('takes source and documentation files only', async () => {
    const folder = temporaryFolder()
    write(folder, {
      'a.js': '',
      'b.d.ts': '',
      'c.mjs': '',
      'd.cjs': '',
      'README.md': '',
      'p.json': '',
      'x.node': '',
      LICENSE: '',
    })
    const { sources } = await findTextFiles(folder, {})
    expect(sources.map(({ name }) => name)).toEqual(['README.md', 'a.js', 'b.d.ts', 'c.mjs', 'd.cjs', 'p.json'])
  })
})

describe('requireSources', () => {
  test('explains an empty search', () => {
    const nothing = { sources: [], binaryCount: 0, beyondLimitCount: 0 }
    expect(() => requireSources(nothing)).toThrow('no text files')
    expect(() => requireSources({ ...nothing, binaryCount: 3 })).toThrow('only binary files')
    expect(() => requireSources({ ...nothing, beyondLimitCount: 3 })).toThrow('--limit-mb')
  })
})
