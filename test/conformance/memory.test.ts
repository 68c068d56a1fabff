import fs from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { loadMemory } from '../../src/memory/load.js'
import {
  type Memory,
  type MemoryKind,
  maxWindowBytes,
  pageBytes,
  SystemCallError,
  type Window,
} from '../../src/memory/memory.js'
import { loadSystemCalls } from '../../src/memory/system-calls.js'
import { isMapped, openDescriptors, randomFile, temporaryFolder } from '../memory/temporary-folder.js'

const calls = loadSystemCalls()

function available(kind: MemoryKind): Memory | string {
  try {
    return loadMemory(kind, calls)
  } catch (error) {
    return (error as Error).message
  }
}

for (const kind of ['mmap-io', 'koffi', 'file'] as const) {
  const memory = available(kind)
  if (typeof memory === 'string')
    describe.skip(`memory ${kind} (not available: ${memory})`, () => it('is skipped', () => {}))
  else describe(`memory ${kind}`, () => conformance(memory))
}

function conformance(memory: Memory): void {
  const isMapping = memory.kind !== 'file'
  const byteLength = 64 * pageBytes
  const opened: Window[] = []
  let folder: string

  const open = (file: string, length: number, access: 'read' | 'write'): Window => {
    const window = memory.open(file, length, access)
    opened.push(window)
    return window
  }
  const put = (window: Window, at: number, bytes: Uint8Array): void => {
    const place = window.place(at, bytes.byteLength)
    window.bytes.set(bytes, place)
    window.commit(at, bytes.byteLength)
  }

  beforeAll(() => {
    folder = temporaryFolder()
  })
  afterEach(() => {
    for (const window of opened.splice(0)) window.close()
  })
  afterAll(() => {
    fs.rmSync(folder, { recursive: true })
  })

  it('reads what the file holds, at any place and of any length', () => {
    const { path: file, content } = randomFile(folder, 'read', byteLength)
    const window = open(file, byteLength, 'read')
    expect(window.byteLength).toBe(byteLength)
    for (const [at, length] of [
      [0, byteLength],
      [0, 1],
      [1, 4095],
      [4095, 2],
      [5000, 70_000],
      [byteLength - 1, 1],
      [byteLength, 0],
      [77, 0],
    ] as const) {
      const read = window.read(at, length)
      expect(Buffer.compare(read, content.subarray(at, at + length))).toBe(0)
    }
  })

  it('reads ranges in any order, more than fit one call, and keeps to the window and the target', () => {
    const { path: file, content } = randomFile(folder, 'ranges', byteLength)
    const window = open(file, byteLength, 'read')
    const count = 3_000
    const ranges = new Uint32Array(count * 3)
    const target = new Uint8Array(new ArrayBuffer(count * 64))
    for (let index = 0; index < count; index++) {
      const length = index % 65
      ranges.set([(index * 7_919) % (byteLength - 64), length, (count - 1 - index) * 64], index * 3)
    }
    window.readRanges(target, ranges, count)
    for (let index = 0; index < count; index++) {
      const [at, length, to] = ranges.subarray(index * 3, index * 3 + 3)
      expect(Buffer.compare(target.subarray(to, to + length), content.subarray(at, at + length))).toBe(0)
      if (length < 64) expect(target[to + length]).toBe(0)
    }
    const before = target.slice()
    expect(() => window.readRanges(target, Uint32Array.of(byteLength - 10, 11, 0), 1)).toThrow(RangeError)
    expect(() => window.readRanges(target, Uint32Array.of(0, 11, target.length - 10), 1)).toThrow(RangeError)
    expect(Buffer.compare(target, before)).toBe(0)
    window.readRanges(target, ranges, 0)
  })

  it('shows committed bytes to a second window and to fs', () => {
    const { path: file, content } = randomFile(folder, 'write', byteLength)
    const writer = open(file, byteLength, 'write')
    const reader = open(file, byteLength, 'read')
    for (const [at, text] of [
      [0, 'first'],
      [4090, 'over the edge of a page'],
      [byteLength - 4, 'last'],
    ] as const) {
      put(writer, at, Buffer.from(text))
      content.write(text, at)
    }
    expect(Buffer.compare(reader.read(0, byteLength), content)).toBe(0)
    expect(Buffer.compare(writer.read(0, byteLength), content)).toBe(0)
    expect(Buffer.compare(fs.readFileSync(file), content)).toBe(0)
  })

  it('places ranges larger and smaller than the ones before', () => {
    const { path: file, content } = randomFile(folder, 'grow', byteLength)
    const window = open(file, byteLength, 'write')
    let at = 0
    for (const length of [10, 100_000, 3, 100_001, 0, 5000]) {
      const bytes = Buffer.alloc(length, (length % 255) + 1)
      put(window, at, bytes)
      bytes.copy(content, at)
      at += length
    }
    expect(Buffer.compare(fs.readFileSync(file), content)).toBe(0)
  })

  it('commits a part of the placed range', () => {
    const { path: file } = randomFile(folder, 'part', byteLength)
    const window = open(file, byteLength, 'write')
    const place = window.place(100, 6)
    window.bytes.set(Buffer.from('abcdef'), place)
    window.commit(103, 3)
    window.commit(100, 3)
    expect(fs.readFileSync(file).toString('latin1', 100, 106)).toBe('abcdef')
  })

  it('keeps the size of the file', () => {
    const { path: file } = randomFile(folder, 'size', byteLength + 100)
    const window = open(file, byteLength, 'write')
    put(window, byteLength - 10, Buffer.alloc(10))
    expect(fs.statSync(file).size).toBe(byteLength + 100)
    expect(() => window.read(byteLength, 1)).toThrow(RangeError)
  })

  it.each([100, 65_536, 200_000])('hands out a copy of %i bytes that is the caller’s own', (length) => {
    const { path: file, content } = randomFile(folder, 'copy', byteLength)
    const writer = open(file, byteLength, 'write')
    const first = writer.read(0, length)
    const second = writer.read(0, length)
    expect(first.constructor).toBe(Uint8Array)
    expect(first.byteOffset).toBe(0)
    expect(first.buffer.byteLength).toBe(length)
    expect(first.buffer).not.toBe(second.buffer)
    put(writer, 0, Buffer.from('changed'))
    second.fill(0)
    expect(Buffer.compare(first, content.subarray(0, length))).toBe(0)
    const moved = structuredClone(first, { transfer: [first.buffer] })
    expect(first.byteLength).toBe(0)
    writer.close()
    expect(Buffer.compare(moved, content.subarray(0, length))).toBe(0)
  })

  it('reads into memory of the caller, and nowhere beside it', () => {
    const { path: file, content } = randomFile(folder, 'into', byteLength)
    const window = open(file, byteLength, 'read')
    for (const target of [new Uint8Array(5000), new Uint8Array(new SharedArrayBuffer(5000))]) {
      window.readInto(target, 100, 4000, 4800)
      expect(Buffer.compare(target.subarray(100, 4900), content.subarray(4000, 8800))).toBe(0)
      expect([...target.subarray(0, 100), ...target.subarray(4900)].every((byte) => byte === 0)).toBe(true)
      window.readInto(target, 5000, 0, 0)
      expect(() => window.readInto(target, 4999, 0, 2)).toThrow(RangeError)
      expect(() => window.readInto(target, 0, byteLength - 1, 2)).toThrow(RangeError)
    }
    window.close()
    expect(failure(() => window.readInto(new Uint8Array(1), 0, 0, 1))).toMatchObject({ code: 'EBADF' })
  })

  it('reads into memory that V8 keeps in its heap, and into none that was moved away', () => {
    const { path: file, content } = randomFile(folder, 'into-short', byteLength)
    const window = open(file, byteLength, 'read')
    for (const length of [1, 7, 63, 64, 65]) {
      const target = new Uint8Array(length)
      window.readInto(target, 0, 4090, length)
      expect(Buffer.compare(target, content.subarray(4090, 4090 + length))).toBe(0)
      target.fill(0)
      window.readInto(target, length - 1, 10, 1)
      expect([...target]).toEqual([...new Uint8Array(length - 1), content[10]])
    }
    const moved = new Uint8Array(1000)
    structuredClone(moved, { transfer: [moved.buffer] })
    expect(() => window.readInto(moved, 0, 0, 10)).toThrow(Error)
  })

  it.runIf(memory.kind === 'koffi')('is no memory to V8 where it is only read', () => {
    const file = path.join(folder, 'unaccounted')
    fs.writeFileSync(file, '')
    fs.truncateSync(file, maxWindowBytes)
    const { external } = process.memoryUsage()
    expect(open(file, maxWindowBytes, 'read').read(maxWindowBytes - 1, 1)[0]).toBe(0)
    expect(process.memoryUsage().external - external).toBeLessThan(maxWindowBytes / 2)
    fs.unlinkSync(file)
  })

  it('refuses lengths that are no whole pages, not positive or too long', () => {
    const { path: file } = randomFile(folder, 'lengths', byteLength)
    for (const length of [0, -4096, 100, 4097, Number.NaN, maxWindowBytes + pageBytes, 2 ** 32 + pageBytes]) {
      expect(() => memory.open(file, length, 'read')).toThrow(RangeError)
    }
    expect(openDescriptors(file)).toBe(0)
  })

  it('opens a window of the greatest length', () => {
    const file = path.join(folder, 'greatest')
    fs.writeFileSync(file, '')
    fs.truncateSync(file, maxWindowBytes)
    const window = open(file, maxWindowBytes, 'write')
    put(window, maxWindowBytes - 3, Buffer.from('end'))
    expect(Buffer.from(window.read(maxWindowBytes - 5, 5)).toString('latin1')).toBe('\0\0end')
    window.close()
    fs.unlinkSync(file)
  })

  it('refuses a file that is shorter than the window', () => {
    const { path: file } = randomFile(folder, 'short', byteLength - 1)
    expect(failure(() => memory.open(file, byteLength, 'read'))).toMatchObject({ code: 'EINVAL', errno: 22 })
    expect(openDescriptors(file)).toBe(0)
  })

  it('creates no file and follows no symbolic link', () => {
    const missing = path.join(folder, 'missing')
    const code = process.platform === 'linux' ? 'ELOOP' : expect.any(String)
    expect(failure(() => memory.open(missing, byteLength, 'read'))).toMatchObject({ code: 'ENOENT', errno: 2 })
    expect(failure(() => memory.open(missing, byteLength, 'write'))).toMatchObject({ code: 'ENOENT' })
    expect(fs.existsSync(missing)).toBe(false)
    const { path: file } = randomFile(folder, 'target', byteLength)
    const link = path.join(folder, 'link')
    fs.symlinkSync(file, link)
    expect(failure(() => memory.open(link, byteLength, 'read'))).toMatchObject({ code })
  })

  it('refuses accesses outside of the window', () => {
    const { path: file } = randomFile(folder, 'bounds', byteLength * 2)
    const window = open(file, byteLength, 'read')
    for (const [at, length] of [
      [-1, 1],
      [0, byteLength + 1],
      [byteLength, 1],
      [0, -1],
      [Number.NaN, 1],
    ] as const) {
      expect(() => window.read(at, length)).toThrow(RangeError)
    }
  })

  it('refuses to place bytes in a window for reading', () => {
    const { path: file } = randomFile(folder, 'read-only', byteLength)
    const window = open(file, byteLength, 'read')
    expect(() => window.place(0, 1)).toThrow(TypeError)
  })

  it('answers a read past the end of a truncated file with EFAULT, not with a signal', () => {
    const { path: file, content } = randomFile(folder, 'truncated', byteLength)
    const window = open(file, byteLength, 'read')
    fs.truncateSync(file, 2 * pageBytes)
    expect(Buffer.compare(window.read(0, 2 * pageBytes), content.subarray(0, 2 * pageBytes))).toBe(0)
    for (const at of [2 * pageBytes, 2 * pageBytes - 10, byteLength - 20]) {
      expect(failure(() => window.read(at, 20))).toMatchObject({ code: 'EFAULT', errno: 14 })
    }
    expect(window.read(0, 10).byteLength).toBe(10)
    const target = new Uint8Array(new ArrayBuffer(100))
    const gone = Uint32Array.of(0, 50, 0, 2 * pageBytes - 10, 20, 50)
    expect(failure(() => window.readRanges(target, gone, 2))).toMatchObject({ code: 'EFAULT', errno: 14 })
    window.readRanges(target, gone, 1)
    expect(Buffer.compare(target.subarray(0, 50), content.subarray(0, 50))).toBe(0)
  })

  it('reads on after the file was unlinked', () => {
    const { path: file, content } = randomFile(folder, 'unlinked', byteLength)
    const window = open(file, byteLength, 'read')
    fs.unlinkSync(file)
    expect(Buffer.compare(window.read(0, byteLength), content)).toBe(0)
  })

  it('gives mapping and descriptor back on close, which may be called twice', () => {
    const { path: file, content } = randomFile(folder, 'close', byteLength)
    const window = open(file, byteLength, 'write')
    put(window, 0, Buffer.from('kept'))
    content.write('kept')
    expect(window.address > 0).toBe(isMapping)
    expect(isMapped(file)).toBe(isMapping)
    expect(openDescriptors(file)).toBe(isMapping ? 0 : 1)
    window.close()
    window.close()
    expect(isMapped(file)).toBe(false)
    expect(openDescriptors(file)).toBe(0)
    expect(window.address).toBe(0)
    expect(window.bytes.byteLength).toBe(0)
    expect(failure(() => window.read(0, 1))).toMatchObject({ code: 'EBADF' })
    expect(Buffer.compare(fs.readFileSync(file), content)).toBe(0)
  })

  it('survives many windows opened, read and closed', () => {
    const { path: file, content } = randomFile(folder, 'many', byteLength)
    for (let round = 0; round < 2000; round++) {
      const window = memory.open(file, byteLength, 'read')
      expect(window.read(round, 1)[0]).toBe(content[round])
      window.close()
    }
    expect(isMapped(file)).toBe(false)
    expect(openDescriptors(file)).toBe(0)
  })

  it.runIf(isMapping)('reads zeros after another thread has retired the mapping, and closes as ever', () => {
    const { path: file, content } = randomFile(folder, 'retired', byteLength)
    const window = open(file, byteLength, 'read')
    window.read(0, 10)
    calls.retire(window.address, byteLength)
    expect(isMapped(file)).toBe(false)
    expect(window.read(0, byteLength).every((byte) => byte === 0)).toBe(true)
    window.close()
    expect(Buffer.compare(fs.readFileSync(file), content)).toBe(0)
  })

  it.runIf(isMapping && 'transfer' in ArrayBuffer.prototype)('leaves views kept past close empty', () => {
    const { path: file } = randomFile(folder, 'stale', byteLength)
    const window = open(file, byteLength, 'write')
    const stale = window.bytes.subarray(10, 20)
    window.close()
    expect(stale.byteLength).toBe(0)
    expect(stale[0]).toBeUndefined()
  })
}

function failure(action: () => unknown): SystemCallError {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(SystemCallError)
    return error as SystemCallError
  }
  throw new Error('nothing was thrown')
}
