/**
 * A chunk of one topic as a scan module or a handler sees it: records in order, without an object per record unless
 * somebody asks for one.
 */
import { ChunkCursor, visitValues } from './chunk-cursor.js'
import { type Message, StoredMessage } from './message.js'

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
    const source = { topic: this.#name, decode: undefined }
    while (cursor.next()) yield new StoredMessage<Uint8Array>(source, cursor)
  }
}
