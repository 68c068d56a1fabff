import { errno, failedCall } from './errno.js'
import { rangeWord } from './gather.js'
import type { Window } from './memory.js'

/** Keeps an access inside its window; a closed window has `byteLength` 0 here and refuses with `EBADF`. */
export function checkBounds(at: number, length: number, byteLength: number): void {
  if (at >= 0 && length >= 0 && at + length <= byteLength) return
  if (byteLength === 0) throw failedCall('window', errno.EBADF, 'the window is closed')
  throw new RangeError(`[${at}, ${at + length}) is outside of a window of ${byteLength} bytes`)
}

/** The same for all ranges of a {@link Window.readRanges}, and for their places in the target. */
export function checkRanges(ranges: Uint32Array, count: number, byteLength: number, targetBytes: number): void {
  for (let index = 0; index < count; index++) {
    const range = index * rangeWord.perRange
    const length = ranges[range + rangeWord.length]
    checkBounds(ranges[range + rangeWord.at], length, byteLength)
    if (ranges[range + rangeWord.targetAt] + length <= targetBytes) continue
    throw new RangeError(`${length} bytes do not fit at ${ranges[range + rangeWord.targetAt]} of the target`)
  }
}

/** A {@link Window.readRanges} range by range. */
export function readEachRange(
  window: Pick<Window, 'readInto'>,
  target: Uint8Array,
  ranges: Uint32Array,
  count: number,
): void {
  for (let index = 0; index < count; index++) {
    const range = index * rangeWord.perRange
    const { at, length, targetAt } = rangeWord
    window.readInto(target, ranges[range + targetAt], ranges[range + at], ranges[range + length])
  }
}
