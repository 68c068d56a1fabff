import { errno } from './errno.js'
import { isMappable } from './file-system.js'
import { loadLibc, seekData, seekHole } from './libc.js'

/**
 * From here on the file reads as zeros and need not be read for that: blocks that are allocated, and have never been written. Its size where the
 * file system does not tell, or is not known to tell the truth about pages that it has not written yet.
 */
export function writtenEnd(path: string, descriptor: number, size: number): number {
  const libc = loadLibc()
  if (libc instanceof Error || !isMappable(path)) return size
  let end = 0
  while (end < size) {
    const data = libc.seek(descriptor, end, seekData)
    if (data < 0) return data === -errno.ENXIO ? end : size
    end = libc.seek(descriptor, data, seekHole)
    if (end < 0) return size
  }
  return size
}
