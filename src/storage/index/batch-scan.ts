/** Walking batches in a copy of log bytes, and finding the next one behind damage. */
import {
  type BatchHeader,
  batchFlag,
  batchHeaderBytes,
  batchMagic,
  bodyMatches,
  readBatchHeader,
} from '../../format/batch-layout.js'
import { alignmentBytes } from '../../limits.js'

export type ScanStop =
  /** All bytes were valid batches. */
  | 'end'
  /** The batch at `end` goes beyond the bytes at hand; `needed` says how many it has. */
  | 'partial'
  /** The bytes at `end` are not a valid batch. */
  | 'bad'
  /** The seal of the segment ends at `end`. */
  | 'seal'
  /** The visitor did not want the batch at `end`. */
  | 'left'

export interface ScanResult {
  /** Subscript behind the last valid batch. */
  end: number
  stop: ScanStop
  needed: number
}

const never = () => false

/**
 * Visits the valid batches that stand one behind the other from the start of `bytes`.
 * @param position of `bytes[0]` in the log
 * @param limit how many bytes of log there can be from `bytes[0]` on (to the end of data or of the segment); the
 *   bytes at hand may be fewer
 * @param visit returns false to end the walk in front of this batch
 * @param isVerified says of a batch that its body need not be checked again
 */
export function scanBatches(
  bytes: Uint8Array,
  position: number,
  limit: number,
  visit: (header: BatchHeader, at: number) => unknown,
  isVerified: (at: number) => boolean = never,
): ScanResult {
  let at = 0
  while (at < limit) {
    // Checked against the limit first: what cannot come must not be asked for.
    if (limit - at < batchHeaderBytes) return { end: at, stop: 'bad', needed: 0 }
    if (at + batchHeaderBytes > bytes.length)
      return { end: at, stop: at === bytes.length ? 'end' : 'partial', needed: batchHeaderBytes }
    const header = readBatchHeader(bytes, at, position + at, limit - at)
    if (header === undefined) return { end: at, stop: 'bad', needed: 0 }
    if (at + header.bytes > bytes.length) return { end: at, stop: 'partial', needed: header.bytes }
    if (!isVerified(at) && !bodyMatches(bytes, at, header)) return { end: at, stop: 'bad', needed: 0 }
    if (visit(header, at) === false) return { end: at, stop: 'left', needed: 0 }
    at += header.bytes
    if ((header.flags & batchFlag.seal) !== 0) return { end: at, stop: 'seal', needed: 0 }
  }
  return { end: at, stop: 'end', needed: 0 }
}

/**
 * Finds the next valid batch at or after `from`. Every header carries its own position and a CRC, so payload bytes
 * that look like one do not pass.
 * @param read copies `[at, at + length)` of the segment
 * @param limit where the batch has to end, if it may go beyond `to`
 * @returns its place relative to the segment, or -1
 */
export function findNextBatch(
  read: (at: number, length: number) => Uint8Array,
  base: number,
  from: number,
  to: number,
  limit = to,
): number {
  const stepBytes = 1 << 20
  for (let start = from; start < to; start += stepBytes) {
    // Headers may straddle two steps: look one header further.
    const bytes = read(start, Math.min(stepBytes + batchHeaderBytes, to - start))
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    for (let at = 0; at < Math.min(stepBytes, bytes.length); at += alignmentBytes) {
      if (words[at >>> 2] !== batchMagic) continue
      const header = readBatchHeader(bytes, at, base + start + at, limit - start - at)
      if (header === undefined) continue
      const whole = at + header.bytes <= bytes.length ? bytes.subarray(at) : read(start + at, header.bytes)
      if (bodyMatches(whole, 0, header)) return start + at
    }
  }
  return -1
}
