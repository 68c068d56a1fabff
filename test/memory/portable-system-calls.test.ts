import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { pageBytes } from '../../src/memory/memory.js'
import { PortableSystemCalls } from '../../src/memory/portable-system-calls.js'
import { loadSystemCalls } from '../../src/memory/system-calls.js'
import { randomFile, temporaryFolder } from './temporary-folder.js'

const calls = new PortableSystemCalls()
const hasFlock = spawnSync('flock', ['--version']).error === undefined

describe('portable system calls', () => {
  const folder = temporaryFolder()
  afterAll(() => fs.rmSync(folder, { recursive: true }))

  it('allocate writes real blocks, also where the file was a hole', () => {
    const file = path.join(folder, 'allocated')
    const descriptor = fs.openSync(file, 'w+')
    fs.ftruncateSync(descriptor, 10 * pageBytes)
    calls.allocate(descriptor, 20 * pageBytes)
    const { size, blocks } = fs.fstatSync(descriptor)
    fs.closeSync(descriptor)
    expect(size).toBe(20 * pageBytes)
    expect(blocks * 512).toBeGreaterThanOrEqual(20 * pageBytes)
    expect(fs.readFileSync(file).every((byte) => byte === 0)).toBe(true)
  })

  it('allocate keeps what the file holds, and a length that is no whole page', () => {
    const { path: file, content } = randomFile(folder, 'holds', 5000)
    const descriptor = fs.openSync(file, 'r+')
    calls.allocate(descriptor, 9001)
    fs.closeSync(descriptor)
    expect(fs.readFileSync(file).equals(Buffer.concat([content, Buffer.alloc(4001)]))).toBe(true)
  })

  it('allocate throws a typed error', () => {
    const { path: file } = randomFile(folder, 'read-only', 10)
    const descriptor = fs.openSync(file, 'r')
    expect(() => calls.allocate(descriptor, pageBytes)).toThrow(
      expect.objectContaining({ name: 'SystemCallError', code: 'EBADF', errno: 9 }),
    )
    fs.closeSync(descriptor)
  })

  it.runIf(hasFlock)('lock outlives its helper, excludes others and ends with the descriptor', () => {
    const { path: file } = randomFile(folder, 'lock', 10)
    const first = fs.openSync(file, 'r+')
    const second = fs.openSync(file, 'r+')
    expect(calls.lock(first)).toBe(true)
    expect(calls.lock(second)).toBe(false)
    const native = loadSystemCalls()
    if (native.isNative) expect(native.lock(second)).toBe(false)
    fs.closeSync(first)
    expect(calls.lock(second)).toBe(true)
    fs.closeSync(second)
  })

  it('lock says what to install where the command is missing', () => {
    const { path: file } = randomFile(folder, 'no-command', 10)
    const descriptor = fs.openSync(file, 'r+')
    vi.stubEnv('PATH', folder)
    try {
      expect(() => calls.lock(descriptor)).toThrow(
        expect.objectContaining({ code: 'ENOSYS', message: expect.stringContaining('install util-linux') }),
      )
    } finally {
      vi.unstubAllEnvs()
      fs.closeSync(descriptor)
    }
  })

  it('says by its results that nothing can be mapped', async () => {
    expect(calls.isNative).toBe(false)
    expect(calls.populateWrite()).toBe(false)
    expect(calls.residentPages()).toBe(-1)
    await expect(calls.syncRange()).rejects.toMatchObject({ code: 'ENOSYS' })
  })
})
