/**
 * Reading all live records of a small topic, so that they can be written anew at the end of the log: the few messages of a
 * topic that is long dead shall not keep segments full of other topics' leftovers.
 */
import { batchFlag, batchHeaderBytes, bodyMatches, readBatchHeader } from '../../format/batch-layout.js'
import { frameEnd, recordOffset } from '../../format/frame-walk.js'
import { entryBytes, entryWord } from '../../format/segment-layout.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { readSealedSegment } from '../index/sealed-index.js'

/** Records of one topic with one time: what one batch becomes. */
export interface MovedBatch {
  time: number
  frames: Uint8Array<ArrayBuffer>
  records: number
  /** Of the batch that they stood in, what is said of records. */
  flags: number
}

/** All records `[first, end)` of a topic, in order. They keep their offsets and times. */
export interface MovedTopic {
  topic: number
  first: number
  end: number
  batches: MovedBatch[]
}

/** @returns undefined if a record of the range cannot be read whole and right: then nothing is moved */
export function collectTopic(
  files: SegmentFiles,
  topic: number,
  first: number,
  end: number,
  segments: Iterable<number>,
): MovedTopic | undefined {
  const batches: MovedBatch[] = []
  let next = first
  for (const segment of segments) {
    if (next >= end) break
    const file = files.open(segment)
    if (file === undefined) return undefined
    try {
      const reached = collectFrom(new SalvageWindow(file), files, segment, topic, next, end, batches)
      if (reached === undefined) return undefined
      next = reached
    } finally {
      file.close()
    }
  }
  return next === end ? { topic, first, end, batches } : undefined
}

/** Adds what one segment holds of the range. Returns the next offset wanted; undefined: a record is damaged. */
function collectFrom(
  file: SalvageWindow,
  files: SegmentFiles,
  segment: number,
  topic: number,
  from: number,
  to: number,
  batches: MovedBatch[],
): number | undefined {
  const base = files.base(segment)
  const { segmentBytes } = files
  const sealed = readSealedSegment((at, length) => file.read(at, length), base, segmentBytes)
  const row = sealed?.rows.find((each) => each.topic === topic)
  if (row === undefined) return from
  const skip = from - row.firstOffset
  const count = Math.min(to - row.firstOffset, row.count) - skip
  if (skip < 0 || count <= 0) return from
  const entries = new Uint32Array(file.read(row.entriesAt + skip * entryBytes, count * entryBytes).buffer)
  let next = from
  for (let entry = 0; entry < entries.length; ) {
    const at = entries[entry + entryWord.batch]
    const head = file.read(at, batchHeaderBytes)
    const header = readBatchHeader(head, 0, base + at, segmentBytes - at)
    if (header === undefined) return undefined
    const bytes = file.read(at, header.bytes)
    if (bytes.length < header.bytes || !bodyMatches(bytes, 0, header)) return undefined
    const pieces = framesOf(bytes, topic, next, to)
    if (pieces.length === 0) return undefined
    const frames = new Uint8Array(Buffer.concat(pieces))
    batches.push({ time: header.time, frames, records: pieces.length, flags: header.flags & batchFlag.expiring })
    next += pieces.length
    entry += pieces.length * entryWord.perEntry
  }
  return next
}

/** The topic's frames from offset `next` on, as far as their offsets follow one another below `to`. */
function framesOf(bytes: Uint8Array, topic: number, next: number, to: number): Uint8Array[] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  const pieces: Uint8Array[] = []
  const end = bytes.length
  for (
    let frame = batchHeaderBytes, following = frameEnd(words, frame, end);
    following > 0;
    frame = following, following = frameEnd(words, frame, end)
  ) {
    const offset = recordOffset(words, frame, topic)
    if (offset === next + pieces.length && offset < to) pieces.push(bytes.subarray(frame, following))
  }
  return pieces
}
