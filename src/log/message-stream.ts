/** Reading a topic in order: messages out of the chunks that the engine hands over. */

import { abortable } from '../abortable.js'
import type { EngineTopic, MessageReader } from '../engine/engine.js'
import { maxTimerMs } from '../limits.js'
import type { ChunkCursor } from '../messages/chunk-cursor.js'
import { type Message, type MessageSource, StoredMessage } from '../messages/message.js'
import { batchBehind, type MessageBatch } from '../messages/message-batch.js'
import { olderPart } from '../messages/older-part.js'
import type { SelectionTerms } from '../messages/selection.js'
import type { Decode } from '../messages/value-coding.js'
import { assertChunk } from './answers.js'
import { checkBoolean, checkKeys } from './validate.js'

/** Messages of a topic, in order. Iterate it, its {@link batches} or its {@link chunks}. */
export interface MessageStream<T> extends AsyncIterableIterator<Message<T>>, AsyncDisposable {
  /** The same messages in arrays, as they come from the reader threads: cheaper than one by one. */
  batches(): AsyncIterableIterator<Message<T>[]>
  /**
   * The same messages as they stand in memory, without an object for each: visit their bytes with {@link MessageBatch.forEach}, or iterate
   * a batch for the messages. Its memory is the application's own; whoever keeps a part of it keeps all of it (256 KiB and more).
   */
  chunks(options?: ChunksOptions): AsyncIterableIterator<MessageBatch<T>>
  /** The next message; waits for one when the stream follows. */
  next(): Promise<IteratorResult<Message<T>, undefined>>
  /** Ends the stream; a `break` calls it. */
  return(): Promise<IteratorResult<Message<T>, undefined>>
}

/** How chunks of a stream are handed over. */
export interface ChunksOptions {
  /**
   * Each batch is good until the next one is asked for, which may come in the same memory: for who is done with one by then. What is in the page cache is then read by the calling thread, which takes
   * less of it than to take chunks from another. Messages of a batch have memory of their own.
   */
  borrowed?: boolean
}

export interface StreamRange extends SelectionTerms {
  /** Asked when the stream is first used. */
  start(): Promise<number>
  /** End of the range, exclusive, as an offset or a time; undefined: whatever is there at the start, or without end when following. */
  to: number | Date | undefined
  follow: boolean
  signal: AbortSignal | undefined
}

/** What was appended before a time is published this soon after it. */
const graceMs = 100

export class ChunkedStream<T> implements MessageStream<T> {
  readonly #topic: EngineTopic
  readonly #source: MessageSource<T>
  readonly #range: StreamRange
  #cursor: ChunkCursor | undefined
  /** Behind the chunks that were handed over, and behind the last message that is wanted; once there is a reader. */
  #offset = 0
  #end = 0
  /** Of a stream that follows up to a time: where that is, once it is known. */
  #lateAt = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  /** Undefined until the stream is first used. */
  #reader: MessageReader | undefined
  #turn: Promise<unknown> | undefined
  #isDone = false

  constructor(topic: EngineTopic, decode: Decode<T> | undefined, range: StreamRange) {
    this.#topic = topic
    this.#source = { topic: topic.name, decode }
    this.#range = range
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Message<T>, undefined>> {
    try {
      // The common case allocates a message and a promise, and nothing else.
      if (this.#turn === undefined && this.#cursor?.next() && !this.#isDone) {
        return Promise.resolve({ done: false, value: this.#message(this.#cursor) })
      }
    } catch (error) {
      return Promise.reject(this.#failed(error))
    }
    return this.#inTurn(async () => {
      for (;;) {
        if (this.#isDone) return { done: true, value: undefined }
        if (this.#hasNext()) return { done: false, value: this.#message(this.#cursor as ChunkCursor) }
        if (!(await this.#advance())) return { done: true, value: undefined }
      }
    })
  }

  async return(): Promise<IteratorResult<Message<T>, undefined>> {
    this.#finish()
    return { done: true, value: undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish()
  }

  batches(): AsyncIterableIterator<Message<T>[]> {
    return this.#inParts((cursor) => {
      const messages: Message<T>[] = []
      try {
        while (cursor.next()) messages.push(this.#message(cursor))
      } catch (error) {
        // What stands before it is delivered; the next turn meets it again.
        if (messages.length === 0) throw this.#failed(error)
      }
      return messages.length > 0 ? messages : undefined
    })
  }

  chunks(options: ChunksOptions = {}): AsyncIterableIterator<MessageBatch<T>> {
    checkKeys('chunks()', options, ['borrowed'])
    const { borrowed = false } = options
    checkBoolean('borrowed', borrowed)
    return this.#inParts((cursor) => {
      const chunk = batchBehind(this.#source, cursor, borrowed)
      this.#cursor = undefined
      return chunk.length > 0 ? chunk : undefined
    }, borrowed)
  }

  /**
   * @param take what is left of the chunk at hand; undefined: nothing
   * @param isBorrowed it takes all of it at once
   */
  async *#inParts<P>(take: (cursor: ChunkCursor) => P | undefined, isBorrowed = false): AsyncIterableIterator<P> {
    try {
      for (;;) {
        const part = await this.#inTurn(async () => {
          for (;;) {
            if (this.#isDone) return undefined
            const taken = this.#cursor && take(this.#cursor)
            if (taken !== undefined) return taken
            if (!(await this.#advance(isBorrowed))) return undefined
          }
        })
        if (part === undefined) return
        yield part
      }
    } finally {
      this.#finish()
    }
  }

  #hasNext(): boolean {
    try {
      return this.#cursor?.next() === true
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** The chunk does not hold what it was asked for: the stream ends with that. */
  #failed(error: unknown): unknown {
    this.#finish()
    return Object.assign(error as Error, { topic: this.#topic.name })
  }

  #message(cursor: ChunkCursor): Message<T> {
    return new StoredMessage<T>(this.#source, cursor)
  }

  /** One call at a time, in order: callers need not wait for one `next()` before they ask for another. */
  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const before = this.#turn
    const mine = before === undefined ? work() : before.then(work, work)
    this.#turn = mine
    const settle = () => {
      if (this.#turn === mine) this.#turn = undefined
    }
    mine.then(settle, settle)
    return mine
  }

  /** Gets the next chunk. False: the stream has ended. */
  async #advance(isBorrowed = false): Promise<boolean> {
    const { signal } = this.#range
    try {
      signal?.throwIfAborted()
      this.#reader ??= await abortable(signal, this.#begin())
      if (this.#offset >= this.#lateAt) this.#finish()
      // It may have been ended before there was a reader that could be closed.
      const cursor = this.#isDone ? undefined : await abortable(signal, this.#reader.next(isBorrowed))
      if (cursor === undefined || this.#isDone) {
        this.#finish()
        return false
      }
      assertChunk(cursor, this.#offset, this.#end)
      this.#cursor = this.#inTime(cursor)
      this.#offset = this.#cursor.end
      return true
    } catch (error) {
      this.#finish()
      throw error
    }
  }

  async #begin(): Promise<MessageReader> {
    const { start, to, follow, filter, only } = this.#range
    this.#offset = await start()
    const from = this.#offset
    this.#end = await this.#endFrom(from)
    if (follow && to instanceof Date) this.#watchTime(to.getTime())
    return this.#topic.read({ from, to: this.#end, follow, filter, only })
  }

  async #endFrom(from: number): Promise<number> {
    const { to, follow } = this.#range
    if (typeof to === 'number') return to
    if (follow) return Number.POSITIVE_INFINITY
    const { next } = await this.#topic.bounds()
    return Math.max(from, to === undefined ? next : Math.min(next, await this.#topic.offsetAt(to.getTime())))
  }

  /** What of a chunk is before the time at which the stream ends. */
  #inTime(cursor: ChunkCursor): ChunkCursor {
    const { to, follow } = this.#range
    const older = follow && to instanceof Date ? olderPart(cursor, to.getTime()) : undefined
    if (older !== undefined) this.#lateAt = older.end
    return older ?? cursor
  }

  /** Nothing may come any more that says that the time is over. */
  #watchTime(time: number): void {
    const leftMs = time + graceMs - Date.now()
    const look = () => {
      if (leftMs > maxTimerMs) this.#watchTime(time)
      else this.#endAt(time).catch(() => {})
    }
    this.#timer = setTimeout(look, Math.max(0, Math.min(leftMs, maxTimerMs))).unref()
  }

  async #endAt(time: number): Promise<void> {
    this.#lateAt = Math.min(this.#lateAt, await this.#topic.offsetAt(time))
    if (this.#offset >= this.#lateAt && !this.#hasRest) this.#finish()
  }

  /** Messages are at hand that were not handed out. */
  get #hasRest(): boolean {
    return this.#cursor !== undefined && this.#cursor.expected < this.#cursor.to
  }

  #finish(): void {
    this.#isDone = true
    this.#cursor = undefined
    clearTimeout(this.#timer)
    this.#reader?.close()
  }
}
