/** Reading a topic in order: chunks come from the reader threads, the next one while this one is looked at. */
import type { Engine, EngineTopic } from '../engine/engine.js'
import { ChunkCursor } from '../messages/chunk-cursor.js'
import { type Message, type MessageSource, StoredMessage } from '../messages/message.js'
import type { ChunkAnswer } from '../threads/reader/reader.js'
import { trimmedError } from '../threads/reader/reader.js'
import { abortable } from './abortable.js'

/** Messages of a topic, in order. Iterate it, or its {@link batches}. */
export interface MessageStream<T> extends AsyncIterableIterator<Message<T>>, AsyncDisposable {
  /** The same messages in arrays, as they come from the reader threads: cheaper than one by one. */
  batches(): AsyncIterableIterator<Message<T>[]>
  next(): Promise<IteratorResult<Message<T>, undefined>>
  return(): Promise<IteratorResult<Message<T>, undefined>>
}

export interface StreamRange {
  /** Asked when the stream is first used. */
  start(): Promise<number>
  /** End of the range, exclusive; undefined: whatever is there at the start, or without end when following. */
  to: number | undefined
  follow: boolean
  signal: AbortSignal | undefined
}

export class ChunkedStream<T> implements MessageStream<T> {
  readonly #engine: Engine
  readonly #topic: EngineTopic
  readonly #source: MessageSource<T>
  readonly #range: StreamRange
  #cursor: ChunkCursor | undefined
  /** Offset behind the last chunk received; -1 before the first. */
  #offset = -1
  #end = 0
  #ahead: Promise<ChunkAnswer> | undefined
  #turn: Promise<unknown> | undefined
  #isDone = false
  #cancelWait: (() => void) | undefined

  constructor(engine: Engine, topic: EngineTopic, decode: ((bytes: Uint8Array) => T) | undefined, range: StreamRange) {
    this.#engine = engine
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

  async *batches(): AsyncIterableIterator<Message<T>[]> {
    try {
      for (;;) {
        const batch = await this.#inTurn(async () => {
          for (;;) {
            if (this.#isDone) return undefined
            const messages: Message<T>[] = []
            try {
              while (this.#cursor?.next()) messages.push(this.#message(this.#cursor))
            } catch (error) {
              // What stands before it is delivered; the next turn meets it again.
              if (messages.length === 0) throw this.#failed(error)
            }
            if (messages.length > 0) return messages
            if (!(await this.#advance())) return undefined
          }
        })
        if (batch === undefined) return
        yield batch
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
  async #advance(): Promise<boolean> {
    const { signal } = this.#range
    try {
      signal?.throwIfAborted()
      this.#engine.checkOpen()
      if (this.#offset < 0) await this.#begin()
      if (this.#ahead === undefined && !(await this.#waitForMore())) {
        this.#finish()
        return false
      }
      this.#ahead ??= this.#request(this.#offset)
      const chunk = await abortable(signal, this.#ahead)
      if (this.#isDone) return false
      this.#engine.checkOpen()
      this.#cursor = new ChunkCursor(chunk.bytes, this.#topic.id, this.#offset, chunk.next)
      this.#offset = chunk.next
      this.#ahead = this.#readableEnd() > this.#offset ? this.#request(this.#offset, chunk) : undefined
      return true
    } catch (error) {
      this.#finish()
      throw error
    }
  }

  async #begin(): Promise<void> {
    const { start, to, follow, signal } = this.#range
    this.#offset = await abortable(signal, start())
    this.#end = to ?? (follow ? Number.POSITIVE_INFINITY : Math.max(this.#offset, this.#engine.next(this.#topic)))
    const first = this.#engine.first(this.#topic)
    if (this.#offset < first) throw trimmedError(this.#topic.name, this.#offset, first)
  }

  /** End of what is published and wanted. */
  #readableEnd(): number {
    return Math.min(this.#end, this.#engine.next(this.#topic))
  }

  async #waitForMore(): Promise<boolean> {
    const { follow, signal } = this.#range
    while (this.#readableEnd() <= this.#offset) {
      // It may have been ended before there was a wait that could be cancelled.
      if (this.#isDone || !follow || this.#offset >= this.#end) return false
      const published = new Promise<void>((resolve, reject) => {
        this.#cancelWait = this.#engine.whenNext(this.#topic, this.#offset, resolve, reject)
        const cancel = this.#cancelWait
        this.#cancelWait = () => {
          cancel()
          resolve()
        }
      })
      try {
        await abortable(signal, published)
      } finally {
        this.#cancelWait?.()
        this.#cancelWait = undefined
      }
      if (this.#isDone) return false
      this.#engine.checkOpen()
    }
    return true
  }

  #request(offset: number, last?: ChunkAnswer): Promise<ChunkAnswer> {
    const request = this.#engine.chunk(this.#topic, offset, this.#readableEnd(), last?.resume)
    // It may fail before anybody asks for it.
    request.catch(() => {})
    return request
  }

  #finish(): void {
    this.#isDone = true
    this.#cursor = undefined
    this.#ahead = undefined
    this.#cancelWait?.()
  }
}
