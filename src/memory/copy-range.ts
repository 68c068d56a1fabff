/** Copying a range from file to file inside the kernel where it can, and through a buffer where it cannot. */

import fs from 'node:fs'
import { promisify } from 'node:util'
import { errno, failedCall } from './errno.js'
import { loadLibc } from './libc.js'

const read = promisify(fs.read)
const write = promisify(fs.write)

/** One call holds a thread of libuv's pool, which the process shares: short enough for others to get their turn. */
const stepBytes = 8 << 20
const bufferBytes = 1 << 20

/** Other file system, old kernel, sandbox, a kind of file it does not know: what the plain way does not mind. */
const notHere: readonly number[] = [errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM]

/**
 * Copies `[at, at + byteLength)` to the same place in the other file, off the calling thread. The bytes never enter this
 * process where the kernel copies, and where the file system can share blocks (xfs, btrfs) none are copied at all.
 * @throws SystemCallError; `EIO` also where the source ends early
 */
export async function copyRange(from: number, to: number, at: number, byteLength: number): Promise<void> {
  const libc = loadLibc()
  const inKernel = libc instanceof Error ? undefined : libc.copyFileRange
  const end = at + byteLength
  while (inKernel !== undefined && at < end) {
    const copied = await inKernel(from, to, at, Math.min(stepBytes, end - at))
    if (copied > 0) at += copied
    else if (copied === -errno.EINTR) continue
    // An early end is left to the plain way as well: some file systems answer 0 for what they cannot copy.
    else if (copied === 0 || notHere.includes(-copied)) break
    else throw failedCall('copy_file_range', -copied)
  }
  if (at < end) await copyThroughBuffer(from, to, at, end)
}

async function copyThroughBuffer(from: number, to: number, start: number, end: number): Promise<void> {
  const buffer = new Uint8Array(Math.min(bufferBytes, end - start))
  for (let at = start; at < end; ) {
    const { bytesRead } = await read(from, buffer, 0, Math.min(buffer.length, end - at), at)
    if (bytesRead === 0) throw failedCall('read', errno.EIO, `the file ends at ${at}, not at ${end}`)
    for (let done = 0; done < bytesRead; ) {
      done += (await write(to, buffer, done, bytesRead - done, at + done)).bytesWritten
    }
    at += bytesRead
  }
}
