import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../examples/word-count/input-error.js'
import { readSource } from '../../examples/word-count/source-reader.js'
import { findSources, type Source } from '../../examples/word-count/sources.js'
import { temporaryFolder } from './temporary-folder.js'

const never = new AbortController().signal

async function sourceOf(name: string, content: Uint8Array): Promise<Source> {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, content)
  return (await findSources([path])).sources[0]!
}

async function readAll(source: Source, signal = never): Promise<{ content: Buffer; consumedBytes: number }> {
  const chunks: Buffer[] = []
  let consumedBytes = 0
  for await (const chunk of readSource(source, signal)) {
    chunks.push(chunk.bytes)
    consumedBytes += chunk.consumedBytes
  }
  return { content: Buffer.concat(chunks), consumedBytes }
}

function noise(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 2654435761) >>> 24))
}

describe('readSource', () => {
  test.each([0, 1, 70_000, 3_000_000])('reads a file of %i bytes whole', async (length) => {
    const bytes = noise(length)
    const { content, consumedBytes } = await readAll(await sourceOf('plain.bin', bytes))
    expect(content.equals(bytes)).toBe(true)
    expect(consumedBytes).toBe(length)
  })

  test.each([0, 1, 3_000_000])('decompresses %i bytes, and counts what they took on the disk', async (length) => {
    const bytes = noise(length)
    const compressed = gzipSync(bytes)
    const { content, consumedBytes } = await readAll(await sourceOf('packed.gz', compressed))
    expect(content.equals(bytes)).toBe(true)
    if (length > 0) expect(consumedBytes).toBe(compressed.length)
  })

  test('reads a gzip file of several members to its end', async () => {
    const source = await sourceOf('members.gz', Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]))
    expect((await readAll(source)).content.toString()).toBe('one\ntwo\n')
  })

  test('names the file whose gzip data ends too early', async () => {
    const source = await sourceOf('cut.gz', gzipSync(noise(100_000)).subarray(0, 200))
    await expect(readAll(source)).rejects.toThrow(InputError)
    await expect(readAll(source)).rejects.toThrow(/cut\.gz: the gzip data ends too early/)
  })

  test('names the file that is no gzip data', async () => {
    const source = await sourceOf('plain.gz', Buffer.from('just text'))
    await expect(readAll(source)).rejects.toThrow(/plain\.gz: it is not valid gzip data/)
  })

  test.each(['gone.log', 'gone.gz'])('names %s when it went away after it was found', async (name) => {
    const source = await sourceOf(name, Buffer.from('x'))
    rmSync(source.path!)
    await expect(readAll(source)).rejects.toThrow(/gone\.\w+: no such file or folder/)
  })

  test('ends with the reason of the signal, not with a complaint about the file', async () => {
    const source = await sourceOf('plain.log', noise(3_000_000))
    await expect(readAll(source, AbortSignal.abort())).rejects.toHaveProperty('name', 'AbortError')
  })
})
