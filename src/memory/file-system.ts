import fs from 'node:fs'
import { asSystemCall } from './errno.js'

/** `f_type` of the file systems on which a store into an allocated, mapped page does not fail later. */
const mappable: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
  0xf2f52010, // f2fs
])

/** The part of the file system at `directory` that is in use, 0 to 1, as `df` counts it: without what is reserved for root. */
export function fileSystemUse(directory: string): number {
  const { blocks, bfree, bavail } = asSystemCall(directory, () => fs.statfsSync(directory))
  const used = blocks - bfree
  return used + bavail === 0 ? 1 : used / (used + bavail)
}

/**
 * Whether files in `directory` may be mapped for writing. False on btrfs and zfs, which copy on write, so that even an
 * allocated page is a SIGBUS on a full disk, on network file systems, and on all that nobody has vouched for.
 */
export function isMappable(directory: string): boolean {
  // Unsigned: the numbers above 2^31 come out negative where the kernel's word has 32 bits.
  return mappable.has(asSystemCall(directory, () => fs.statfsSync(directory).type) >>> 0)
}
