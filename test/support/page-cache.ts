/** Taking a file out of the page cache, as the kernel does when it wants the memory. */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'

const dontNeed = 4

/** Flushes it first: dirty pages stay. */
export function dropFromCache(path: string, from = 0, length = 0): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const advise = koffi.load(null).func('int posix_fadvise(int, int64_t, int64_t, int)') as unknown as (
    ...args: number[]
  ) => number
  const descriptor = fs.openSync(path, 'r+')
  try {
    fs.fsyncSync(descriptor)
    const failure = advise(descriptor, from, length, dontNeed)
    if (failure !== 0) throw new Error(`posix_fadvise failed (${failure})`)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** A folder on a file system that can say what is in memory: tmpfs cannot. */
export function canTell(folder: string): boolean {
  const tmpfs = 0x01021994
  return process.platform === 'linux' && fs.statfsSync(folder).type !== tmpfs
}
