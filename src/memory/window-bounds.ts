import { errno, failedCall } from './errno.js'

/** Keeps an access inside its window; a closed window has `byteLength` 0 here and refuses with `EBADF`. */
export function checkBounds(at: number, length: number, byteLength: number): void {
  if (at >= 0 && length >= 0 && at + length <= byteLength) return
  if (byteLength === 0) throw failedCall('window', errno.EBADF, 'the window is closed')
  throw new RangeError(`[${at}, ${at + length}) is outside of a window of ${byteLength} bytes`)
}
