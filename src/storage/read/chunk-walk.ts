/** The walk over a stretch of a segment on the way to a chunk: every batch is verified, and those of the topic are found. */
import { type BatchHeader, batchBytes, mixedTopics } from '../../format/batch-layout.js'
import type { PinnedWindow } from '../files/segment-windows.js'
import { scanBatches } from '../index/batch-scan.js'
import { countRun, firstOffset, moveBatch, thinBatch } from './chunk-thinning.js'

/** Which records are wanted: of a topic, from `offset` on, below `to`. */
export interface Wanted {
  topic: number
  offset: number
  to: number
}

/** Bytes of a segment, from `at` on; `limit` of them are published. */
export interface WalkedStretch {
  bytes: Uint8Array<ArrayBuffer>
  /** What is known of its batches. */
  pinned: Pick<PinnedWindow, 'isVerified' | 'markVerified'>
  /** Position of the segment. */
  base: number
  at: number
  limit: number
}

/**
 * Verifies the batches at `at` of a segment, and finds the records of the topic among them: a run of offsets without a hole, from the
 * one wanted or below it. In front of a hole the walk ends; what was lost there is for who asks for it next.
 * @param isInPlace the bytes are not to be changed; else they are thinned: the batches of the topic are moved to the front, without
 *   frames of others
 */
export function walkChunk(
  { topic, offset, to }: Wanted,
  { bytes, pinned, base, at, limit }: WalkedStretch,
  isInPlace: boolean,
) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  let kept = 0
  let first = -1
  let next = -1
  // Start of the first batch that goes beyond the range; -1: none does.
  let firstBeyond = -1
  const visit = (header: BatchHeader, from: number): boolean => {
    // What was found right through this mapping is not summed up again: the sums cost more than all the rest.
    pinned.markVerified(at + from)
    if ((header.topic !== topic && header.topic !== mixedTopics) || header.count === 0) return true
    const start = firstOffset(words, from, topic)
    if (start < 0) return true
    // Below the offset asked for it does not matter what is missing.
    if (first < 0 || (start !== next && start <= offset && next <= offset)) first = start
    else if (start !== next) return false
    let count = header.count
    if (header.topic !== topic)
      count = isInPlace
        ? countRun(words, from, topic, start)
        : thinBatch(bytes, words, header, from, kept, topic, start)
    else if (!isInPlace) moveBatch(bytes, header, from, kept)
    next = start + count
    if (next > to && firstBeyond < 0) firstBeyond = from
    // In place, of a batch of several topics, what the topic's share of records suggests.
    kept += isInPlace ? (header.bytes * count) / header.count : batchBytes(words, kept)
    return true
  }
  const isVerified = (from: number) => pinned.isVerified(at + from)
  const position = base + at
  const { stop, end: scanned, needed } = scanBatches(bytes, position, limit, visit, isVerified)
  return { stop, scanned, needed, kept, first, next, firstBeyond }
}
