/**
 * A chunk of one topic as a scan module or a handler sees it: records in order, without an object per record unless
 * somebody asks for one.
 */
import { ChunkCursor, partsOf, visitValues } from './chunk-cursor.js'
import { type Message, type MessageSource, StoredMessage } from './message.js'

/**
 * Messages of one topic, handed to a scan module or a handler in a reader thread. Values are bytes in a scan; a handler gets what the
 * topic's codec decodes, if that is `json` or `text`. A module that exports a `codec` gets what that decodes, in both.
 */
export interface MessageBatch<T = Uint8Array> extends Iterable<Message<T>> {
  /** Number of messages; 0 only for the one call that an empty range gets. */
  readonly length: number
  readonly firstOffset: number
  /**
   * Visits each value in place, without an object per message.
   * @param visit gets the memory of the whole chunk and the bounds of one value in it; in a scan module, and in a handler with
   *   `views: 'mapped'`, the memory is only good until the call returns (or its promise settles): copy what is to be kept
   */
  forEach(visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void): void
}

export class ChunkBatch implements MessageBatch<unknown> {
  readonly length: number
  readonly firstOffset: number
  readonly #source: MessageSource<unknown>
  readonly #topic: number
  readonly #bytes: Uint8Array
  readonly #isBorrowed: boolean

  /** @param isBorrowed the bytes will be overwritten: messages get a copy of them */
  constructor(
    source: MessageSource<unknown>,
    topic: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    isBorrowed: boolean,
  ) {
    this.#source = source
    this.#topic = topic
    this.#bytes = bytes
    this.firstOffset = from
    this.length = to - from
    this.#isBorrowed = isBorrowed
  }

  forEach(visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void): void {
    visitValues(this.#bytes, this.#topic, this.firstOffset, this.firstOffset + this.length, visit)
  }

  *[Symbol.iterator](): Iterator<Message<unknown>> {
    const bytes = this.#isBorrowed ? this.#bytes.slice() : this.#bytes
    const cursor = new ChunkCursor(bytes, this.#topic, this.firstOffset, this.firstOffset + this.length)
    while (cursor.next()) yield new StoredMessage<unknown>(this.#source, cursor)
  }
}

/**
 * The records of a chunk that a handler is to get, found in one walk, so that batches can be cut from them anywhere. The chunk is not
 * overwritten: handlers may go on while the next one is read.
 */
export class ChunkRecords {
  readonly #source: MessageSource<unknown>
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #frames: number[] = []
  readonly #offsets: number[] = []
  readonly #times: number[] = []
  /** Offset behind the last record, wanted or not. */
  readonly end: number
  /** Why that is not the end of what was asked for. */
  readonly failure: unknown

  /** @param isWanted tells the records that count, by the cursor that stands on them; undefined: all do */
  constructor(
    source: MessageSource<unknown>,
    topic: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    isWanted: ((cursor: ChunkCursor) => boolean) | undefined,
  ) {
    const cursor = new ChunkCursor(bytes, topic, from, to)
    this.#source = source
    this.#bytes = bytes
    this.#words = cursor.words
    let end = from
    try {
      for (; cursor.next(); end++) {
        if (isWanted !== undefined && !isWanted(cursor)) continue
        this.#frames.push(cursor.frame)
        this.#offsets.push(cursor.offset)
        this.#times.push(cursor.timestamp)
      }
    } catch (error) {
      this.failure = error
    }
    this.end = end
  }

  get length(): number {
    return this.#frames.length
  }

  offset(index: number): number {
    return this.#offsets[index]
  }

  /** The records from `start` to before `end`, in order. */
  batch(start: number, end: number): MessageBatch<unknown> {
    const records = this
    return {
      length: end - start,
      firstOffset: this.#offsets[start],
      forEach(visit) {
        for (let index = start; index < end; index++) records.#visit(index, visit)
      },
      *[Symbol.iterator]() {
        for (let index = start; index < end; index++) yield records.#message(index)
      },
    }
  }

  #visit(index: number, visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void): void {
    const { valueStart, valueEnd } = partsOf(this.#words, this.#frames[index])
    visit(this.#bytes, valueStart, valueEnd, this.#offsets[index])
  }

  #message(index: number): Message<unknown> {
    return new StoredMessage<unknown>(this.#source, {
      bytes: this.#bytes,
      words: this.#words,
      frame: this.#frames[index],
      offset: this.#offsets[index],
      timestamp: this.#times[index],
    })
  }
}
