import fs from 'node:fs'
import { asSystemCall, errno, failedCall } from './errno.js'
import { SystemCallError } from './memory.js'

/** Writes all of `bytes` at `at`, however few the kernel takes at a time. */
export function writeAll(descriptor: number, bytes: Uint8Array, at: number): void {
  let done = 0
  while (done < bytes.byteLength) {
    const written = asSystemCall('', () => fs.writeSync(descriptor, bytes, done, bytes.byteLength - done, at + done))
    // POSIX leaves a write of 0 bytes open; going round for ever would be a hang on a sick disk.
    if (written === 0) throw failedCall('write', errno.EIO, `no byte taken at ${at + done}`)
    done += written
  }
}

/** Writes `parts` one behind the other from `at` on, in one call where the kernel takes them all. */
export function writeParts(descriptor: number, parts: readonly Uint8Array[], at: number): void {
  let written = asSystemCall('', () => fs.writevSync(descriptor, parts as Uint8Array[], at))
  for (const part of parts) {
    // What a short write left over is written part by part: that also finds out why it was short.
    if (written < part.byteLength) writeAll(descriptor, part.subarray(Math.max(0, written)), at + Math.max(0, written))
    written -= part.byteLength
    at += part.byteLength
  }
}

/** Fills `bytes` from `at` on; answers how many bytes there were before the end of the file. */
export function readUpTo(descriptor: number, bytes: Uint8Array, at: number): number {
  let done = 0
  while (done < bytes.byteLength) {
    const count = readOnce(descriptor, bytes, done, at)
    if (count === 0) break
    done += count
  }
  return done
}

function readOnce(descriptor: number, bytes: Uint8Array, done: number, at: number): number {
  for (;;) {
    try {
      return asSystemCall('', () => fs.readSync(descriptor, bytes, done, bytes.byteLength - done, at + done))
    } catch (error) {
      // libuv repeats interrupted calls of every kind but this one.
      if (!(error instanceof SystemCallError && error.errno === errno.EINTR)) throw error
    }
  }
}
