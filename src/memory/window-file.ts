import fs from 'node:fs'
import { asSystemCall, errno, failedCall } from './errno.js'
import { maxWindowBytes, pageBytes } from './memory.js'

/**
 * Opens an existing file that is long enough for a window of `byteLength` bytes. Never creates one, never follows a
 * symbolic link; Node adds `O_CLOEXEC` to every open.
 */
export function openWindowFile(path: string, byteLength: number, access: 'read' | 'write'): number {
  if (!Number.isSafeInteger(byteLength) || byteLength <= 0 || byteLength % pageBytes !== 0) {
    throw new RangeError(`window length ${byteLength} is not a positive multiple of ${pageBytes}`)
  }
  if (byteLength > maxWindowBytes) throw new RangeError(`window length ${byteLength} is above ${maxWindowBytes}`)

  const { O_RDWR, O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  // Not blocking: a pipe in the place of the file would be waited at.
  const flags = (access === 'write' ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK
  const descriptor = asSystemCall(path, () => fs.openSync(path, flags))
  try {
    const { size } = asSystemCall(path, () => fs.fstatSync(descriptor))
    if (size < byteLength) throw failedCall('mmap', errno.EINVAL, `${path} has ${size} of ${byteLength} bytes`)
    return descriptor
  } catch (error) {
    fs.closeSync(descriptor)
    throw error
  }
}

/** For mappings: they stay when the descriptor is closed, so it is open for as long as `use` runs only. */
export function withWindowFile<T>(
  path: string,
  byteLength: number,
  access: 'read' | 'write',
  use: (descriptor: number) => T,
): T {
  const descriptor = openWindowFile(path, byteLength, access)
  try {
    return use(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}
