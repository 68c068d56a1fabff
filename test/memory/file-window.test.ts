import fs from 'node:fs'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { FileMemory } from '../../src/memory/file-window.js'
import { pageBytes } from '../../src/memory/memory.js'
import { randomFile, temporaryFolder } from './temporary-folder.js'

describe('file window', () => {
  const folder = temporaryFolder()
  afterEach(() => {
    vi.restoreAllMocks()
  })
  afterAll(() => fs.rmSync(folder, { recursive: true }))

  it('goes on after short reads and short writes', () => {
    const { path: file, content } = randomFile(folder, 'pieces', 4 * pageBytes)
    const window = new FileMemory().open(file, 4 * pageBytes, 'write')
    const { readSync, writeSync } = fs
    vi.spyOn(fs, 'readSync').mockImplementation(((
      fd: number,
      bytes: Uint8Array,
      from: number,
      length: number,
      at: number,
    ) => readSync(fd, bytes, from, Math.min(length, 1000), at)) as typeof fs.readSync)
    vi.spyOn(fs, 'writeSync').mockImplementation(((
      fd: number,
      bytes: Uint8Array,
      from: number,
      length: number,
      at: number,
    ) => writeSync(fd, bytes, from, Math.min(length, 700), at)) as typeof fs.writeSync)
    const place = window.place(100, 9000)
    window.bytes.fill(1, place, place + 9000)
    window.commit(100, 9000)
    content.fill(1, 100, 9100)
    expect(Buffer.compare(window.read(0, 4 * pageBytes), content)).toBe(0)
    window.close()
  })

  it.each(['ENOSPC', 'EIO', 'EDQUOT'])('hands on %s from commit', (code) => {
    const { path: file } = randomFile(folder, code, pageBytes)
    const window = new FileMemory().open(file, pageBytes, 'write')
    window.place(0, 1)
    vi.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw Object.assign(new Error(code), { code, errno: -5, syscall: 'write' })
    })
    expect(() => window.commit(0, 1)).toThrow(
      expect.objectContaining({ name: 'SystemCallError', code, errno: 5, syscall: 'write' }),
    )
    window.close()
  })

  it('does not hang on a disk that takes no byte', () => {
    const { path: file } = randomFile(folder, 'stuck', pageBytes)
    const window = new FileMemory().open(file, pageBytes, 'write')
    window.place(0, 1)
    vi.spyOn(fs, 'writeSync').mockReturnValue(0)
    expect(() => window.commit(0, 1)).toThrow(expect.objectContaining({ code: 'EIO' }))
    window.close()
  })

  it('commits nothing outside of the range placed last', () => {
    const { path: file, content } = randomFile(folder, 'outside', pageBytes)
    const window = new FileMemory().open(file, pageBytes, 'write')
    window.place(0, 100)
    window.place(50, 10)
    expect(() => window.commit(0, 10)).toThrow(RangeError)
    expect(() => window.commit(55, 10)).toThrow(RangeError)
    expect(() => window.place(pageBytes - 1, 2)).toThrow(RangeError)
    expect(fs.readFileSync(file).equals(content)).toBe(true)
    window.close()
  })
})
