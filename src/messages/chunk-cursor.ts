/** Walking the records of one topic in a chunk. */
import { BookendError } from '../errors.js'
import { batchBytes, batchField, batchHeaderBytes, batchTime, mixedTopics } from '../format/batch-layout.js'
import {
  flagsOf,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  noKey,
  offsetOf,
} from '../format/frame-layout.js'
import { frameEnd, recordOffset } from '../format/frame-walk.js'
import { hasExpired } from './expiry.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { length: lengthWord, topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord
const { data: dataKind } = frameKind
const { extended: extendedFlag } = frameFlag
const expiresBit = frameFlag.expires << 24

/** Where one record stands, in which chunk. */
export interface RecordPlace {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  readonly frame: number
  readonly offset: number
  readonly timestamp: number
}

/**
 * Walks the records of `topic` with offsets in `[from, to)` in a chunk, which holds them all: where one is missing the walk fails
 * instead of passing it over, whoever made the chunk. What has expired is passed over: this is where that is judged, for whoever reads.
 */
export class ChunkCursor implements RecordPlace {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  readonly #topic: number
  readonly #to: number
  /** Offsets may be missing in it, but for the last before {@link end}: they are passed over. */
  readonly isSparse: boolean
  /** Behind the last offset that the chunk speaks of. */
  readonly end: number
  #expected: number
  #batchEnd = 0
  #next = 0
  /** Of the record that {@link next} found: its place in the chunk, its offset, the time of its batch. */
  frame = 0
  offset = -1
  timestamp = 0

  /**
   * @param bytes a chunk that begins at a multiple of 4 of its buffer
   * @param to behind the last record that is wanted
   * @param isSparse offsets may be missing in it, but for the last before `to`: they are passed over
   * @param end of what the chunk was made from, where records behind the last one were left out
   */
  constructor(bytes: Uint8Array, topic: number, from: number, to: number, isSparse = false, end = to) {
    this.bytes = bytes
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
    this.#topic = topic
    this.#expected = from
    this.#to = to
    this.isSparse = isSparse
    this.end = end
  }

  /** Offset of the record that {@link next} goes to, while there is one: while this is below {@link to}. */
  get expected(): number {
    return this.#expected
  }

  /** Behind the last record that is wanted. */
  get to(): number {
    return this.#to
  }

  /** Number of the topic whose records it goes to. */
  get topic(): number {
    return this.#topic
  }

  /** Goes to the next record. False: there is none. @throws `BOOKEND_CORRUPT`, at every further call too, where the next record is not there */
  next(): boolean {
    if (this.#expected >= this.#to) return false
    const { words } = this
    for (;;) {
      while (this.#next >= this.#batchEnd) this.#enterBatch()
      const at = this.#next
      const end = frameEnd(words, at, this.#batchEnd)
      if (end < 0) {
        this.#next = this.#batchEnd
        continue
      }
      this.#next = end
      const word = at >>> 2
      const tail = words[word + tailWordAt]
      if (words[word + topicWord] !== this.#topic || kindOf(tail) !== dataKind) continue
      const offset = offsetOf(words[word + offsetLowWord], tail)
      if (offset !== this.#expected) {
        if (offset < this.#expected) continue
        if (!this.isSparse) {
          this.#next = at
          throw notInChunk(this.#expected, Math.min(offset, this.#to))
        }
      }
      this.#expected = offset + 1
      if ((tail & expiresBit) !== 0 && hasExpired(this.bytes, words, at)) {
        if (this.#expected >= this.#to) return false
        continue
      }
      this.frame = at
      this.offset = offset
      return true
    }
  }

  #enterBatch(): void {
    const { words } = this
    const at = this.#batchEnd
    if (!isBatchAt(this.bytes, words, at)) throw notInChunk(this.#expected, this.#to)
    this.#batchEnd = at + batchBytes(words, at)
    this.timestamp = batchTime(words, at)
    // A chunk that stands in the log itself has batches of others among its own, and some without records.
    const topic = words[(at + batchField.topic) >>> 2]
    const mayHold = (topic === this.#topic || topic === mixedTopics) && words[(at + batchField.count) >>> 2] > 0
    this.#next = mayHold ? at + batchHeaderBytes : this.#batchEnd
  }
}

/**
 * The record of a lookup: the first of the batch at `at`, alone in it.
 * @throws `BOOKEND_CORRUPT` if what stands there is another record, or none
 */
export function recordAt(
  bytes: Uint8Array,
  words: Uint32Array,
  topic: number,
  at: number,
  offset: number,
): RecordPlace {
  const frame = at + batchHeaderBytes
  const isThere =
    isBatchAt(bytes, words, at) &&
    frameEnd(words, frame, at + batchBytes(words, at)) > 0 &&
    recordOffset(words, frame, topic) === offset
  if (!isThere) throw notInChunk(offset, offset + 1)
  return { bytes, words, frame, offset, timestamp: batchTime(words, at) }
}

/** A walk over batches ends where there is no whole one. */
function isBatchAt(bytes: Uint8Array, words: Uint32Array, at: number): boolean {
  const room = bytes.length - at
  if (room < batchHeaderBytes) return false
  const length = batchBytes(words, at)
  return length >= batchHeaderBytes && length <= room
}

/** The message that a chunk was read for is not in it: nobody may go on as if it had never been. */
function notInChunk(offset: number, next: number): BookendError {
  const message = `message ${offset} cannot be delivered: what was read for it does not hold it; reading can go on at offset ${next}`
  return new BookendError('BOOKEND_CORRUPT', message, { offset, next })
}

/** Bounds of a record's parts as subscripts of its chunk; `keyStart` is -1 without a key. */
export interface RecordParts {
  keyStart: number
  /** End of the key, start of the headers. */
  keyEnd: number
  /** End of the headers, start of the value. */
  valueStart: number
  valueEnd: number
}

export function partsOf(words: Uint32Array, frame: number): RecordParts {
  const start = frame + frameHeaderBytes
  const valueEnd = start + words[(frame >>> 2) + lengthWord]
  if ((flagsOf(words[(frame >>> 2) + tailWordAt]) & extendedFlag) === 0) {
    return { keyStart: -1, keyEnd: start, valueStart: start, valueEnd }
  }
  const keyBytes = words[start >>> 2]
  const keyStart = start + frameExtensionBytes
  const keyEnd = keyStart + (keyBytes === noKey ? 0 : keyBytes)
  return {
    keyStart: keyBytes === noKey ? -1 : keyStart,
    keyEnd,
    valueStart: keyEnd + words[(start >>> 2) + 1],
    valueEnd,
  }
}

/**
 * Calls `visit` for each record of `topic` in `[from, to)` with the bounds of its value.
 * The same walk as {@link ChunkCursor}, in one loop: this is what a scan of millions of records spends its time in. Not over what may expire.
 * @throws `BOOKEND_CORRUPT` where the next record is not there
 */
export function visitValues(
  bytes: Uint8Array,
  topic: number,
  from: number,
  to: number,
  visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void,
): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
  let expected = from
  for (let batch = 0; expected < to && isBatchAt(bytes, words, batch); ) {
    const end = batch + batchBytes(words, batch)
    for (
      let frame = batch + batchHeaderBytes, next = frameEnd(words, frame, end);
      next > 0;
      frame = next, next = frameEnd(words, frame, end)
    ) {
      const word = frame >>> 2
      const tail = words[word + tailWordAt]
      if (words[word + topicWord] !== topic || kindOf(tail) !== dataKind) continue
      const offset = offsetOf(words[word + offsetLowWord], tail)
      if (offset !== expected) {
        if (offset < expected) continue
        throw notInChunk(expected, Math.min(offset, to))
      }
      const isPlain = (flagsOf(tail) & extendedFlag) === 0
      const start = isPlain ? frame + frameHeaderBytes : partsOf(words, frame).valueStart
      visit(bytes, start, frame + frameHeaderBytes + words[word + lengthWord], offset)
      expected += 1
      if (expected >= to) return
    }
    batch = end
  }
  if (expected < to) throw notInChunk(expected, to)
}
