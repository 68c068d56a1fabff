/** Of a chunk the records that match a filter, in memory of their own: what does not match travels to no other thread. */
import { batchHeaderBytes, markExpiring, putBatchCopy, shrinkBatchCopy } from '../format/batch-layout.js'
import { expires } from '../format/expiry-layout.js'
import { frameBytes, frameWord } from '../format/frame-layout.js'
import { ChunkCursor } from './chunk-cursor.js'
import type { RecordSelection } from './selection.js'

/** A chunk of which only some records are left. */
export interface MatchingRecords {
  /** Their batches, back to back. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Behind the last record that is left; where it begins: there is none. */
  readonly to: number
  /** Behind the last record that was looked at. */
  readonly end: number
}

/** Records that match, chunk after chunk, until they are taken out as one row. */
export class SelectedRecords {
  readonly #topic: number
  readonly #selection: RecordSelection
  readonly #pieces: Uint8Array[] = []
  #bytes = 0
  #to: number
  #end: number

  /** @param from the first offset that is looked at */
  constructor(topic: number, selection: RecordSelection, from: number) {
    this.#topic = topic
    this.#selection = selection
    this.#to = from
    this.#end = from
  }

  /** Bytes of those found so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Behind the last record that was looked at. */
  get end(): number {
    return this.#end
  }

  /**
   * Looks at the records of a chunk from where it has come to, up to `to`. The memory may be overwritten afterwards.
   * @throws `BOOKEND_CORRUPT` where the next one is not there; those before it are looked at
   */
  add(chunk: Uint8Array, to: number): void {
    this.#add(new ChunkCursor(chunk, this.#topic, this.#end, to))
  }

  /**
   * The same of a chunk in which only those stand that may match.
   * @param to behind the last of them
   * @param end up to here no other matches
   */
  addSparse(chunk: Uint8Array, to: number, end: number): void {
    this.#add(new ChunkCursor(chunk, this.#topic, this.#end, to, true))
    this.#end = end
  }

  #add(cursor: ChunkCursor): void {
    const frames: number[] = []
    const times: number[] = []
    try {
      while (cursor.next()) {
        if (!this.#selection.matches(cursor)) continue
        frames.push(cursor.frame)
        times.push(cursor.timestamp)
        this.#to = cursor.offset + 1
      }
    } finally {
      this.#end = cursor.expected
      if (frames.length > 0) this.#keep(copyOf(cursor, frames, times))
    }
  }

  take(): MatchingRecords {
    const [first] = this.#pieces
    const bytes = this.#pieces.length === 1 ? (first as Uint8Array<ArrayBuffer>) : join(this.#pieces, this.#bytes)
    return { bytes, to: this.#to, end: this.#end }
  }

  #keep(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
  }
}

/** What matches of what a cursor has not come to. */
export function selected(cursor: ChunkCursor, selection: RecordSelection): ChunkCursor {
  const from = cursor.expected
  const records = new SelectedRecords(cursor.topic, selection, from)
  records.add(cursor.bytes, cursor.to)
  const { bytes, to } = records.take()
  return new ChunkCursor(bytes, cursor.topic, from, to, true, cursor.end)
}

/** Frames of a verified chunk in memory of their own: a batch for each run of one time. */
function copyOf(
  { bytes, words, topic }: ChunkCursor,
  frames: readonly number[],
  times: readonly number[],
): Uint8Array<ArrayBuffer> {
  let length = 0
  frames.forEach((frame, index) => {
    if (index === 0 || times[index] !== times[index - 1]) length += batchHeaderBytes
    length += lengthAt(words, frame)
  })
  const copy = new Uint8Array(length)
  const copied = new Uint32Array(copy.buffer)
  let batch = 0
  let count = 0
  let at = 0
  frames.forEach((frame, index) => {
    if (index === 0 || times[index] !== times[index - 1]) {
      batch = at
      count = 0
      at += batchHeaderBytes
    }
    const end = frame + lengthAt(words, frame)
    copy.set(bytes.subarray(frame, end), at)
    at += end - frame
    count += 1
    putBatchCopy(copied, batch, at - batch, times[index], topic)
    shrinkBatchCopy(copied, batch, at - batch, count)
    if (expires(words, frame)) markExpiring(copied, batch)
  })
  return copy
}

function lengthAt(words: Uint32Array, frame: number): number {
  return frameBytes(words[(frame >>> 2) + frameWord.length])
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
