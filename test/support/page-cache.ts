/** Taking a file out of the page cache, as the kernel does when it wants the memory. */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { vi } from 'vitest'

const dontNeed = 4

/** Behind it is a huge page: the kernel may keep a part of a file as large as that as one, and drops the whole of it or nothing. */
export const dropUnitBytes = 2 << 20

/**
 * Has what begins at `from` dropped until `isDropped` says that it is so: what is under way to or from the device, what is mapped, and what
 * another core has taken up a moment ago stays where it is when it is asked to go.
 */
export async function untilDropped(path: string, isDropped: () => unknown, from = 0): Promise<void> {
  const attempt = () => {
    dropFromCache(path, from)
    return isDropped()
  }
  await vi.waitUntil(attempt, { timeout: 120_000, interval: 10 })
}

/** Flushes it first: dirty pages stay. */
function dropFromCache(path: string, from: number): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const advise = koffi.load(null).func('int posix_fadvise(int, int64_t, int64_t, int)') as unknown as (
    ...args: number[]
  ) => number
  const descriptor = fs.openSync(path, 'r+')
  try {
    fs.fsyncSync(descriptor)
    const failure = advise(descriptor, from, 0, dontNeed)
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
