/**
 * From bytes of a segment to a chunk: the batches that hold records of one topic, moved to the front, without the frames of others.
 */
import { type BatchHeader, batchBytes, batchHeaderBytes, shrinkBatchCopy } from '../../format/batch-layout.js'
import { frameEnd, recordOffset } from '../../format/frame-walk.js'

/**
 * Moves a batch to `to`, keeping only the frames of `topic` whose offsets follow one another from `start` on. Returns the records left,
 * at least one.
 */
export function thinBatch(
  bytes: Uint8Array,
  words: Uint32Array,
  header: BatchHeader,
  from: number,
  to: number,
  topic: number,
  start: number,
): number {
  const end = from + header.bytes
  let size = batchHeaderBytes
  let count = 0
  for (
    let frame = from + batchHeaderBytes, next = frameEnd(words, frame, end);
    next > 0;
    frame = next, next = frameEnd(words, frame, end)
  ) {
    if (recordOffset(words, frame, topic) !== start + count) continue
    // The header is moved before the first frame: to the left of everything still to be read.
    if (count === 0) bytes.copyWithin(to, from, from + batchHeaderBytes)
    bytes.copyWithin(to + size, frame, next)
    size += next - frame
    count += 1
  }
  shrinkBatchCopy(words, to, size, count)
  return count
}

/** Records of `topic` in the batch at `at` whose offsets follow one another from `start` on. */
export function countRun(words: Uint32Array, at: number, topic: number, start: number): number {
  const end = at + batchBytes(words, at)
  let count = 0
  for (
    let frame = at + batchHeaderBytes, next = frameEnd(words, frame, end);
    next > 0;
    frame = next, next = frameEnd(words, frame, end)
  ) {
    if (recordOffset(words, frame, topic) === start + count) count += 1
  }
  return count
}

/** Offset of the first record of `topic` in the batch at `at`, or -1. */
export function firstOffset(words: Uint32Array, at: number, topic: number): number {
  const end = at + batchBytes(words, at)
  for (
    let frame = at + batchHeaderBytes, next = frameEnd(words, frame, end);
    next > 0;
    frame = next, next = frameEnd(words, frame, end)
  ) {
    const offset = recordOffset(words, frame, topic)
    if (offset >= 0) return offset
  }
  return -1
}

/** Moves a batch that holds no other topic. */
export function moveBatch(bytes: Uint8Array, header: BatchHeader, from: number, to: number): void {
  if (from !== to) bytes.copyWithin(to, from, from + header.bytes)
}

/** Pieces back to back, in a buffer of exactly their size that can be moved to another thread. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
