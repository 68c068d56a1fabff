/** Walking the records of one topic in a chunk. */
import { batchField, batchHeaderBytes, batchTime, mixedTopics } from '../format/batch-layout.js'
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
import { alignUp } from '../limits.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { length: lengthWord, topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord
const { data: dataKind } = frameKind
const { extended: extendedFlag } = frameFlag

/** Where one record stands, in which chunk. */
export interface RecordPlace {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  readonly frame: number
  readonly offset: number
  readonly timestamp: number
}

/** Walks the records of `topic` with offsets in `[from, to)` in a chunk. */
export class ChunkCursor implements RecordPlace {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  readonly #topic: number
  readonly #from: number
  readonly #to: number
  #batchEnd = 0
  #next = 0
  /** Of the record that {@link next} found: its place in the chunk, its offset, the time of its batch. */
  frame = 0
  offset = -1
  timestamp = 0

  /** @param bytes a chunk that begins at a multiple of 4 of its buffer */
  constructor(bytes: Uint8Array, topic: number, from: number, to: number) {
    this.bytes = bytes
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
    this.#topic = topic
    this.#from = from
    this.#to = to
  }

  /** Goes to the next record. False: there is none. */
  next(): boolean {
    const { words } = this
    for (;;) {
      while (this.#next >= this.#batchEnd) {
        const at = this.#batchEnd
        if (at >= this.bytes.length) return false
        this.#batchEnd = at + words[(at + batchField.bytes) >>> 2]
        this.timestamp = batchTime(words, at)
        // A chunk that stands in the log itself has batches of others among its own, and some without records.
        const topic = words[(at + batchField.topic) >>> 2]
        const mayHold = (topic === this.#topic || topic === mixedTopics) && words[(at + batchField.count) >>> 2] > 0
        this.#next = mayHold ? at + batchHeaderBytes : this.#batchEnd
      }
      const at = this.#next
      const word = at >>> 2
      // Checksums find accidents: a length that somebody made up must not lead out of the batch, or round in it.
      if (words[word + lengthWord] > this.#batchEnd - at - frameHeaderBytes) {
        this.#next = this.#batchEnd
        continue
      }
      this.#next = at + alignUp(frameHeaderBytes + words[word + lengthWord])
      const tail = words[word + tailWordAt]
      if (words[word + topicWord] !== this.#topic || kindOf(tail) !== dataKind) continue
      const offset = offsetOf(words[word + offsetLowWord], tail)
      if (offset < this.#from) continue
      if (offset >= this.#to) return false
      this.frame = at
      this.offset = offset
      return true
    }
  }
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
 * The same walk as {@link ChunkCursor}, in one loop: this is what a scan of millions of records spends its time in.
 */
export function visitValues(
  bytes: Uint8Array,
  topic: number,
  from: number,
  to: number,
  visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void,
): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
  for (let batch = 0; batch < bytes.length; ) {
    const end = batch + words[(batch + batchField.bytes) >>> 2]
    for (let frame = batch + batchHeaderBytes; frame < end; ) {
      const word = frame >>> 2
      const length = words[word]
      if (length > end - frame - frameHeaderBytes) break
      const tail = words[word + 3]
      if (words[word + 1] === topic && kindOf(tail) === dataKind) {
        const offset = offsetOf(words[word + 2], tail)
        if (offset >= to) return
        if (offset >= from) {
          const isPlain = (flagsOf(tail) & extendedFlag) === 0
          const start = isPlain ? frame + frameHeaderBytes : partsOf(words, frame).valueStart
          visit(bytes, start, frame + frameHeaderBytes + length, offset)
        }
      }
      frame += alignUp(frameHeaderBytes + length)
    }
    batch = end
  }
}
