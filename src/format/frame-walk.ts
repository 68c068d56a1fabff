/**
 * The one walk over frames that stand back to back, with its guard: everybody who goes from frame to frame asks here where the next
 * one begins.
 *
 * ```
 * for (let frame = start, next = frameEnd(words, frame, end); next > 0; frame = next, next = frameEnd(words, frame, end))
 * ```
 *
 * Checksums find accidents, and not what somebody made up: a length must not lead out of the batch, nor, where it overflows, round
 * in it for ever.
 */
import { alignUp } from '../limits.js'
import { frameHeaderBytes, frameKind, frameWord, kindOf, offsetOf } from './frame-layout.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { length: lengthWord, topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord
const { data: dataKind } = frameKind

/**
 * Where the frame at `frame` ends and the next one would begin, or -1: no whole frame stands there.
 * @param end of the frames, a multiple of 8 like `frame`
 */
export function frameEnd(words: Uint32Array, frame: number, end: number): number {
  const room = end - frame - frameHeaderBytes
  if (room < 0) return -1
  const length = words[(frame >>> 2) + lengthWord]
  return length > room ? -1 : frame + alignUp(frameHeaderBytes + length)
}

/** Offset of the record of `topic` at `frame`; -1: what stands there is something else. */
export function recordOffset(words: Uint32Array, frame: number, topic: number): number {
  const word = frame >>> 2
  const tail = words[word + tailWordAt]
  return words[word + topicWord] === topic && kindOf(tail) === dataKind
    ? offsetOf(words[word + offsetLowWord], tail)
    : -1
}
