import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { loadMemory } from '../../src/memory/load.js'
import { pageBytes, type SystemCallError, type Window } from '../../src/memory/memory.js'
import { loadSystemCalls } from '../../src/memory/system-calls.js'
import { isMapped, randomFile, temporaryFolder } from './temporary-folder.js'

const calls = loadSystemCalls()
const byteLength = 64 * pageBytes

describe.runIf(calls.isNative)('native system calls', () => {
  const folder = temporaryFolder()
  const cleanUp: Array<() => void> = []

  const openWindow = (file: string, access: 'read' | 'write'): Window => {
    const window = loadMemory('koffi', calls).open(file, byteLength, access)
    cleanUp.push(() => window.close())
    return window
  }
  const openFile = (file: string, flags: string): number => {
    const descriptor = fs.openSync(file, flags)
    cleanUp.push(() => fs.closeSync(descriptor))
    return descriptor
  }

  afterEach(() => {
    for (const action of cleanUp.splice(0).reverse()) action()
  })
  afterAll(() => fs.rmSync(folder, { recursive: true }))

  it('allocate reserves real blocks that read as zeros', () => {
    const descriptor = openFile(path.join(folder, 'allocated'), 'w+')
    calls.allocate(descriptor, byteLength)
    const { size, blocks } = fs.fstatSync(descriptor)
    expect(size).toBe(byteLength)
    expect(blocks * 512).toBeGreaterThanOrEqual(byteLength)
    expect(fs.readFileSync(descriptor).every((byte) => byte === 0)).toBe(true)
  })

  it('allocate keeps what the file holds', () => {
    const { path: file, content } = randomFile(folder, 'holds', 5000)
    calls.allocate(openFile(file, 'r+'), byteLength)
    expect(fs.readFileSync(file).subarray(0, 5000).equals(content)).toBe(true)
  })

  it('allocate throws a typed error for a bad descriptor and for an impossible size', () => {
    const { path: file } = randomFile(folder, 'bad', 10)
    expect(() => calls.allocate(openFile(file, 'r'), pageBytes)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(() => calls.allocate(openFile(file, 'r+'), 2 ** 52)).toThrow(
      expect.objectContaining({ name: 'SystemCallError', code: expect.stringMatching(/^(EFBIG|ENOSPC)$/) }),
    )
  })

  it('allocate throws ENOSPC on a full disk', (context) => {
    const mountPoint = path.join(folder, 'small')
    fs.mkdirSync(mountPoint)
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'bookend-test', mountPoint])
    if (mount.status !== 0) context.skip('mounting a small tmpfs is not permitted here')
    cleanUp.push(() => spawnSync('umount', [mountPoint]))
    const descriptor = openFile(path.join(mountPoint, 'full'), 'w+')
    expect(() => calls.allocate(descriptor, 4 << 20)).toThrow(expect.objectContaining({ code: 'ENOSPC', errno: 28 }))
  })

  it('populateWrite faults the pages in and changes none', () => {
    const { path: file, content } = randomFile(folder, 'populate', byteLength)
    const window = openWindow(file, 'write')
    expect(calls.populateWrite(window.address + 100, byteLength - 100)).toBe(true)
    expect(calls.residentPages(window.address, byteLength)).toBe(64)
    expect(fs.readFileSync(file).equals(content)).toBe(true)
  })

  it('populateWrite returns false for a range that cannot be written', () => {
    const { path: file } = randomFile(folder, 'refused', byteLength)
    expect(calls.populateWrite(openWindow(file, 'read').address, byteLength)).toBe(false)
    const window = openWindow(file, 'write')
    fs.truncateSync(file, 0)
    expect(calls.populateWrite(window.address, byteLength)).toBe(false)
    expect(calls.populateWrite(pageBytes, pageBytes)).toBe(false)
  })

  it('lockPages locks as much as it was asked to, and retiring ends the lock', () => {
    const { path: file } = randomFile(folder, 'lock', byteLength)
    const window = openWindow(file, 'write')
    const locked = () => Number(/VmLck:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
    const before = locked()
    expect(calls.lockPages(window.address, byteLength / 2)).toBeUndefined()
    expect(locked() - before).toBe(byteLength / 2)
    calls.retire(window.address, byteLength)
    expect(locked()).toBe(before)
  })

  it('lockPages returns its failure', () => {
    expect(calls.lockPages(pageBytes, pageBytes)).toMatchObject({ code: 'ENOMEM', syscall: 'mlock' })
  })

  it('syncRange flushes a range that is not aligned', async () => {
    const { path: file } = randomFile(folder, 'sync', byteLength)
    const window = openWindow(file, 'write')
    window.bytes[5000] = 1
    await expect(calls.syncRange(window.address + 5000, 1)).resolves.toBeUndefined()
    await expect(calls.syncRange(window.address, byteLength)).resolves.toBeUndefined()
  })

  it('syncRange rejects for a range that is not mapped', async () => {
    await expect(calls.syncRange(pageBytes, pageBytes)).rejects.toMatchObject({ code: 'ENOMEM', syscall: 'msync' })
  })

  it('concurrent syncRange calls each get their own outcome', async () => {
    const { path: file } = randomFile(folder, 'concurrent', byteLength)
    const window = openWindow(file, 'write')
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, round) =>
        calls.syncRange(round % 2 === 0 ? window.address : pageBytes, pageBytes).then(
          () => 'done',
          (error: SystemCallError) => error.code,
        ),
      ),
    )
    expect(outcomes).toEqual(Array.from({ length: 40 }, (_, round) => (round % 2 === 0 ? 'done' : 'ENOMEM')))
  })

  it('retire makes a stale view read zeros and leaves the file as it is', () => {
    const { path: file, content } = randomFile(folder, 'retire', byteLength)
    const window = openWindow(file, 'read')
    expect(window.read(7, 1)[0]).toBe(content[7])
    expect(isMapped(file)).toBe(true)
    calls.retire(window.address, byteLength)
    expect(isMapped(file)).toBe(false)
    expect(window.read(0, byteLength).every((byte) => byte === 0)).toBe(true)
    expect(fs.readFileSync(file).equals(content)).toBe(true)
  })

  it('retire refuses what cannot be the address of a mapping', () => {
    for (const address of [0, -4096, 4097, Number.NaN, 1.5]) {
      expect(() => calls.retire(address, pageBytes)).toThrow(RangeError)
    }
  })

  it('residentPages is -1 for a range that is not mapped', () => {
    expect(calls.residentPages(pageBytes, pageBytes)).toBe(-1)
  })

  it('lock excludes a second descriptor until the first is closed', () => {
    const { path: file } = randomFile(folder, 'lock', 10)
    const first = fs.openSync(file, 'r+')
    const second = openFile(file, 'r+')
    expect(calls.lock(first)).toBe(true)
    expect(calls.lock(first)).toBe(true)
    expect(calls.lock(second)).toBe(false)
    fs.closeSync(first)
    expect(calls.lock(second)).toBe(true)
  })

  it('lock throws a typed error for a closed descriptor', () => {
    expect(() => calls.lock(999_999)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'flock' }))
  })
})
