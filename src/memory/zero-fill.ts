import fs from 'node:fs'
import { readUpTo, writeAll } from './descriptor-bytes.js'
import { asSystemCall } from './errno.js'
import { pageBytes } from './memory.js'

/**
 * Gives `[from, to)` of a file real blocks by writing them, where `posix_fallocate` cannot.
 *
 * The pieces are single pages on purpose: larger writes make large folios in the page cache, and then one dirty page
 * costs up to 1 MiB of device writes at each flush (faults.md D7). Bytes the file already has are kept, as
 * `posix_fallocate` keeps them, but written again: they may be a hole.
 */
export function zeroFill(descriptor: number, to: number, from = 0): void {
  const page = Buffer.alloc(pageBytes)
  const size = asSystemCall('', () => fs.fstatSync(descriptor).size)
  for (let at = from; at < to; at += pageBytes) {
    const piece = page.subarray(0, Math.min(pageBytes, to - at))
    piece.fill(0)
    if (at < size) readUpTo(descriptor, piece, at)
    writeAll(descriptor, piece, at)
  }
}
