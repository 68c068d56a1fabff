/**
 * A chunk of one topic as a scan module or a handler sees it: records in order, without an object per record unless
 * somebody asks for one.
 */
import { batchField, batchHeaderBytes } from '../format/batch-layout.js'
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
import { joinWords } from '../format/numbers.js'
import { alignUp } from '../limits.js'
import { type Message, StoredMessage } from './message.js'

/** Walks the records of `topic` with offsets in `[from, to)` in a chunk. */
export class ChunkCursor {
  readonly bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #topic: number
  readonly #from: number
  readonly #to: number
  #batchEnd = 0
  #frame = 0
  /** Of the record that {@link next} found. */
  offset = -1
  timestamp = 0
  keyStart = -1
  keyEnd = 0
  valueStart = 0
  valueEnd = 0

  /** @param bytes a chunk that begins at a multiple of 4 of its buffer */
  constructor(bytes: Uint8Array, topic: number, from: number, to: number) {
    this.bytes = bytes
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
    this.#topic = topic
    this.#from = from
    this.#to = to
  }

  /** Goes to the next record. False: there is none. */
  next(): boolean {
    const words = this.#words
    for (;;) {
      while (this.#frame >= this.#batchEnd) {
        const at = this.#batchEnd
        if (at >= this.bytes.length) return false
        this.#batchEnd = at + words[(at + batchField.bytes) >>> 2]
        this.timestamp = joinWords(words[(at + batchField.time) >>> 2], words[(at + batchField.time + 4) >>> 2])
        this.#frame = at + batchHeaderBytes
      }
      const at = this.#frame
      const word = at >>> 2
      const length = words[word + frameWord.length]
      this.#frame = at + alignUp(frameHeaderBytes + length)
      const tail = words[word + frameWord.tail]
      if (words[word + frameWord.topic] !== this.#topic || kindOf(tail) !== frameKind.data) continue
      const offset = offsetOf(words[word + frameWord.offsetLow], tail)
      if (offset < this.#from) continue
      if (offset >= this.#to) return false
      this.offset = offset
      const start = at + frameHeaderBytes
      this.valueEnd = start + length
      if ((flagsOf(tail) & frameFlag.extended) === 0) {
        this.keyStart = -1
        this.keyEnd = start
        this.valueStart = start
        return true
      }
      const keyBytes = words[start >>> 2]
      const headersBytes = words[(start + 4) >>> 2]
      this.keyStart = keyBytes === noKey ? -1 : start + frameExtensionBytes
      this.keyEnd = start + frameExtensionBytes + (keyBytes === noKey ? 0 : keyBytes)
      this.valueStart = this.keyEnd + headersBytes
      return true
    }
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
      const tail = words[word + 3]
      if (words[word + 1] === topic && kindOf(tail) === frameKind.data) {
        const offset = offsetOf(words[word + 2], tail)
        if (offset >= to) return
        if (offset >= from) {
          let start = frame + frameHeaderBytes
          const valueEnd = start + length
          if ((flagsOf(tail) & frameFlag.extended) !== 0) start = valueStartOf(words, start)
          visit(bytes, start, valueEnd, offset)
        }
      }
      frame += alignUp(frameHeaderBytes + length)
    }
    batch = end
  }
}

function valueStartOf(words: Uint32Array, extension: number): number {
  const keyBytes = words[extension >>> 2]
  return extension + frameExtensionBytes + (keyBytes === noKey ? 0 : keyBytes) + words[(extension + 4) >>> 2]
}

/** Messages of one topic, handed to a scan module or a handler in a reader thread. */
export interface MessageBatch extends Iterable<Message> {
  /** Number of messages; 0 only for the one call that an empty range gets. */
  readonly length: number
  readonly firstOffset: number
  /**
   * Visits each value in place, without an object per message.
   * @param visit gets the memory of the whole chunk and the bounds of one value in it; the memory is only good
   *   until `map` returns (or its promise settles): copy what is to be kept
   */
  forEach(visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void): void
}

export class ChunkBatch implements MessageBatch {
  readonly length: number
  readonly firstOffset: number
  readonly #name: string
  readonly #topic: number
  readonly #bytes: Uint8Array
  readonly #isBorrowed: boolean

  /** @param isBorrowed the bytes will be overwritten: messages get a copy of them */
  constructor(name: string, topic: number, bytes: Uint8Array, from: number, to: number, isBorrowed: boolean) {
    this.#name = name
    this.#topic = topic
    this.#bytes = bytes
    this.firstOffset = from
    this.length = to - from
    this.#isBorrowed = isBorrowed
  }

  forEach(visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void): void {
    visitValues(this.#bytes, this.#topic, this.firstOffset, this.firstOffset + this.length, visit)
  }

  *[Symbol.iterator](): Iterator<Message> {
    const bytes = this.#isBorrowed ? this.#bytes.slice() : this.#bytes
    const cursor = new ChunkCursor(bytes, this.#topic, this.firstOffset, this.firstOffset + this.length)
    while (cursor.next()) yield new StoredMessage<Uint8Array>(this.#name, cursor, undefined)
  }
}
