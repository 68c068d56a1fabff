/**
 * A chunk of one topic as a scan module, a handler or a reader of chunks sees it: records in order, without an object per record
 * unless somebody asks for one.
 */
import { BookendError } from '../errors.js'
import { mayExpire } from '../format/expiry-layout.js'
import { ChunkCursor, partsOf, type RecordPlace, visitValues } from './chunk-cursor.js'
import { type Message, type MessageSource, StoredMessage } from './message.js'

/**
 * Messages of one topic, handed to a scan module or a handler in a reader thread, or by `read().chunks()`. Values are bytes in a scan; a
 * handler gets what the topic's codec decodes, if that is `json` or `text`. A module that exports a `codec` gets what that decodes, in both.
 */
export interface MessageBatch<T = Uint8Array> extends Iterable<Message<T>> {
  /** Number of messages; 0 only for the one call that an empty range gets. */
  readonly length: number
  /** Offset of the first one; the others follow without gaps, unless `where`, the order of a handler, or that some have expired leaves some out. */
  readonly firstOffset: number
  /**
   * Visits each value in place, without an object per message.
   * @param visit gets the memory of the whole chunk and the bounds of one value in it; in a scan module, and in a handler with
   *   `views: 'mapped'`, the memory is only good until the call returns (or its promise settles): copy what is to be kept
   */
  forEach(visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void): void
}

/** As modules of our own see it. */
export interface RecordBatch<T> extends MessageBatch<T> {
  /** Visits each record in place; the place is good until the call returns. */
  visit(visit: (place: RecordPlace) => void): void
}

export class ChunkBatch<T = unknown> implements RecordBatch<T> {
  readonly length: number
  readonly firstOffset: number
  readonly #source: MessageSource<T>
  readonly #topic: number
  readonly #bytes: Uint8Array
  readonly #isBorrowed: boolean

  /** @param isBorrowed the bytes will be overwritten: messages get a copy of them */
  constructor(
    source: MessageSource<T>,
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
    try {
      visitValues(this.#bytes, this.#topic, this.firstOffset, this.firstOffset + this.length, visit)
    } catch (error) {
      throw this.#placed(error)
    }
  }

  visit(visit: (place: RecordPlace) => void): void {
    const cursor = new ChunkCursor(this.#bytes, this.#topic, this.firstOffset, this.firstOffset + this.length)
    try {
      while (cursor.next()) visit(cursor)
    } catch (error) {
      throw this.#placed(error)
    }
  }

  *[Symbol.iterator](): Iterator<Message<T>> {
    const bytes = this.#isBorrowed ? this.#bytes.slice() : this.#bytes
    const cursor = new ChunkCursor(bytes, this.#topic, this.firstOffset, this.firstOffset + this.length)
    for (;;) {
      try {
        if (!cursor.next()) return
      } catch (error) {
        throw this.#placed(error)
      }
      yield new StoredMessage<T>(this.#source, cursor)
    }
  }

  /** What is missing in the chunk is missing in a topic, whose name only the source knows. */
  #placed(error: unknown): unknown {
    const isOurs = error instanceof BookendError && error.code === 'BOOKEND_CORRUPT' && error.topic === undefined
    return isOurs ? Object.assign(error, { topic: this.#source.topic }) : error
  }
}

/**
 * The records of a chunk that holds all of `[from, to)`; fewer, where some have expired.
 * @param isBorrowed the bytes will be overwritten
 */
export function denseBatch<T>(
  source: MessageSource<T>,
  topic: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  isBorrowed: boolean,
): RecordBatch<T> {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
  if (!mayExpire(bytes, words)) return new ChunkBatch(source, topic, bytes, from, to, isBorrowed)
  // Counted once: a message that expires while the batch is looked at is still part of it.
  return sparseBatch(source, topic, isBorrowed ? bytes.slice() : bytes, from, to, false)
}

/**
 * What a cursor has not come to of its chunk.
 * @param isBorrowed the bytes may be overwritten
 */
export function batchBehind<T>(source: MessageSource<T>, cursor: ChunkCursor, isBorrowed: boolean): MessageBatch<T> {
  const { topic, bytes, expected, to } = cursor
  return cursor.isSparse
    ? sparseBatch(source, topic, isBorrowed ? bytes.slice() : bytes, expected, to)
    : denseBatch(source, topic, bytes, expected, to, isBorrowed)
}

/** All records of a chunk in which offsets may be missing, and which is not overwritten. @throws `BOOKEND_CORRUPT` */
export function sparseBatch<T>(
  source: MessageSource<T>,
  topic: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  isSparse = true,
): RecordBatch<T> {
  const records = new ChunkRecords(source, topic, bytes, from, to, undefined, isSparse)
  if (records.failure !== undefined) throw records.failure
  return records.batch(0, records.length)
}

/**
 * The records of a chunk that a handler is to get, found in one walk, so that batches can be cut from them anywhere. The chunk is not
 * overwritten: handlers may go on while the next one is read.
 */
export class ChunkRecords<T = unknown> {
  readonly #source: MessageSource<T>
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #frames: number[] = []
  readonly #offsets: number[] = []
  readonly #times: number[] = []
  /** Offset behind the last record, wanted or not. */
  readonly end: number
  /** Why that is not the end of what was asked for. */
  readonly failure: unknown

  /**
   * @param isWanted tells the records that count, by the cursor that stands on them; undefined: all do
   * @param isSparse offsets may be missing: then there is nothing to be had for them
   */
  constructor(
    source: MessageSource<T>,
    topic: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    isWanted: ((cursor: ChunkCursor) => boolean) | undefined,
    isSparse = false,
  ) {
    const cursor = new ChunkCursor(bytes, topic, from, to, isSparse)
    this.#source = source
    this.#bytes = bytes
    this.#words = cursor.words
    try {
      while (cursor.next()) {
        if (isWanted !== undefined && !isWanted(cursor)) continue
        this.#frames.push(cursor.frame)
        this.#offsets.push(cursor.offset)
        this.#times.push(cursor.timestamp)
      }
    } catch (error) {
      this.failure = error
    }
    this.end = cursor.expected
  }

  get length(): number {
    return this.#frames.length
  }

  offset(index: number): number {
    return this.#offsets[index]
  }

  /** The records from `start` to before `end`, in order. */
  batch(start: number, end: number): RecordBatch<T> {
    const records = this
    return {
      length: end - start,
      firstOffset: this.#offsets[start] ?? this.end,
      forEach(visit) {
        for (let index = start; index < end; index++) records.#visit(index, visit)
      },
      visit(visit) {
        for (let index = start; index < end; index++) visit(records.place(index))
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

  place(index: number): RecordPlace {
    return {
      bytes: this.#bytes,
      words: this.#words,
      frame: this.#frames[index],
      offset: this.#offsets[index],
      timestamp: this.#times[index],
    }
  }

  #message(index: number): Message<T> {
    return new StoredMessage<T>(this.#source, this.place(index))
  }
}
