import fs from 'node:fs'
import path from 'node:path'
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, expect, it, vi } from 'vitest'
import type { Libc } from '../../src/memory/libc.js'
import { randomFile, temporaryFolder } from './temporary-folder.js'

const folder = temporaryFolder()
afterAll(() => fs.rmSync(folder, { recursive: true }))

const answer = vi.hoisted(() => ({ copyFileRange: undefined as ((...args: number[]) => Promise<number>) | undefined }))
vi.mock('../../src/memory/libc.js', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/memory/libc.js')>()
  const loadLibc = () => {
    const libc = original.loadLibc()
    if (answer.copyFileRange === undefined) return libc
    return { ...(libc as Libc), copyFileRange: answer.copyFileRange }
  }
  return { ...original, loadLibc }
})
const { loadLibc } = await import('../../src/memory/libc.js')
const { copyRange } = await import('../../src/memory/copy-range.js')

async function copyOf(name: string, at: number, length: number): Promise<{ found: Buffer; content: Buffer }> {
  const { path: file, content } = randomFile(folder, name, 300_000)
  const from = fs.openSync(file, 'r')
  const to = fs.openSync(path.join(folder, `${name}.copy`), 'w+')
  try {
    await copyRange(from, to, at, length)
    return { found: fs.readFileSync(path.join(folder, `${name}.copy`)), content }
  } finally {
    fs.closeSync(from)
    fs.closeSync(to)
  }
}

async function expectCopied(name: string): Promise<void> {
  const { found, content } = await copyOf(name, 5_000, 250_001)
  expect(found.length).toBe(255_001)
  expect(found.subarray(0, 5_000).every((byte) => byte === 0)).toBe(true)
  expect(found.subarray(5_000).equals(content.subarray(5_000, 255_001))).toBe(true)
}

it('copies exactly the range, to the same place', () => expectCopied('plain'))

it.runIf(process.platform === 'linux' && !(loadLibc() instanceof Error))(
  'copies inside the kernel on Linux',
  async () => {
    const call = (loadLibc() as Libc).copyFileRange
    const { path: file, content } = randomFile(folder, 'kernel', 100_000)
    const from = fs.openSync(file, 'r')
    const to = fs.openSync(path.join(folder, 'kernel.copy'), 'w+')
    let at = 1_000
    while (at < 100_000) {
      const copied = await call!(from, to, at, 100_000 - at)
      expect(copied).toBeGreaterThan(0)
      at += copied
    }
    expect(fs.readFileSync(path.join(folder, 'kernel.copy')).subarray(1_000).equals(content.subarray(1_000))).toBe(true)
    expect(await call!(-1, to, 0, 1)).toBe(-9)
    fs.closeSync(from)
    fs.closeSync(to)
  },
)

it.runIf(process.platform === 'linux' && !(loadLibc() instanceof Error))(
  'places of calls under way survive the garbage collector',
  async () => {
    v8.setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const call = (loadLibc() as Libc).copyFileRange!
    const pieceBytes = 1 << 20
    const { path: file, content } = randomFile(folder, 'collected', 60 * pieceBytes)
    const from = fs.openSync(file, 'r')
    const to = fs.openSync(path.join(folder, 'collected.copy'), 'w+')
    // More calls than the pool has threads, as many as koffi takes: most read their places long after the garbage collector has run.
    const calls = Array.from({ length: 60 }, (_, piece) => call(from, to, piece * pieceBytes, pieceBytes))
    collect()
    // Memory that was freed wrongly is given out again, to these.
    const others = Array.from({ length: 10_000 }, () => new BigInt64Array(new ArrayBuffer(8)).fill(-1n))
    expect(await Promise.all(calls)).toEqual(calls.map(() => pieceBytes))
    expect(others.every(([value]) => value === -1n)).toBe(true)
    expect(fs.readFileSync(path.join(folder, 'collected.copy')).equals(content)).toBe(true)
    fs.closeSync(from)
    fs.closeSync(to)
  },
)

it.each([
  ['another file system', -18],
  ['an old kernel', -38],
  ['a file that answers 0', 0],
])('copies through a buffer where the kernel does not: %s', async (_what, result) => {
  answer.copyFileRange = async () => result
  await expectCopied(`refused${result}`)
  answer.copyFileRange = undefined
})

it('goes on where the kernel stopped, after a short copy and after an interruption', async () => {
  const { path: file, content } = randomFile(folder, 'short', 100_000)
  const from = fs.openSync(file, 'r')
  const to = fs.openSync(path.join(folder, 'short.copy'), 'w+')
  let calls = 0
  answer.copyFileRange = async (source, target, at, length) => {
    calls += 1
    if (calls === 2) return -4
    if (calls === 4) return -18
    const bytes = Buffer.alloc(Math.min(length, 30_001))
    fs.readSync(source, bytes, 0, bytes.length, at)
    return fs.writeSync(target, bytes, 0, bytes.length, at)
  }
  await copyRange(from, to, 0, 100_000)
  answer.copyFileRange = undefined
  expect(calls).toBe(4)
  expect(fs.readFileSync(path.join(folder, 'short.copy')).equals(content)).toBe(true)
  fs.closeSync(from)
  fs.closeSync(to)
})

it('a device error is not taken for "not here"', async () => {
  answer.copyFileRange = async () => -5
  await expect(copyOf('broken', 0, 100)).rejects.toMatchObject({ code: 'EIO', syscall: 'copy_file_range' })
  answer.copyFileRange = undefined
})

it('a source that ends early is an error, not a short copy', async () => {
  await expect(copyOf('ends', 200_000, 200_000)).rejects.toMatchObject({ code: 'EIO' })
})
