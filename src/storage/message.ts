/** A message as the application and its modules see it. */
import type { ChunkCursor } from './message-batch.js'

/** One message of a topic. */
export interface Message<T = Uint8Array> {
  readonly topic: string
  /** Dense number in the topic, from 0. */
  readonly offset: number
  /** Milliseconds since the epoch, set by the writer, never decreasing. */
  readonly timestamp: number
  readonly key?: Uint8Array
  readonly headers?: Record<string, string>
  /** The application's own copy: valid for ever. */
  readonly value: T
}

/**
 * Decodes on first use: a reader that looks at offsets only pays for nothing else. The bytes are part of a chunk
 * that belongs to the application; keeping one message keeps its chunk (256 KiB) in memory.
 */
export class StoredMessage<T> implements Message<T> {
  readonly topic: string
  readonly offset: number
  readonly timestamp: number
  readonly #bytes: Uint8Array
  readonly #keyStart: number
  readonly #keyEnd: number
  readonly #valueStart: number
  readonly #valueEnd: number
  readonly #decode: ((bytes: Uint8Array) => T) | undefined
  #value: T | undefined
  #isDecoded = false

  constructor(topic: string, cursor: ChunkCursor, decode: ((bytes: Uint8Array) => T) | undefined) {
    this.topic = topic
    this.offset = cursor.offset
    this.timestamp = cursor.timestamp
    this.#bytes = cursor.bytes
    this.#keyStart = cursor.keyStart
    this.#keyEnd = cursor.keyEnd
    this.#valueStart = cursor.valueStart
    this.#valueEnd = cursor.valueEnd
    this.#decode = decode
  }

  get key(): Uint8Array | undefined {
    return this.#keyStart < 0 ? undefined : this.#view(this.#keyStart, this.#keyEnd)
  }

  get headers(): Record<string, string> | undefined {
    if (this.#keyEnd === this.#valueStart) return undefined
    return JSON.parse(Buffer.from(this.#view(this.#keyEnd, this.#valueStart)).toString('utf8')) as Record<
      string,
      string
    >
  }

  get value(): T {
    if (!this.#isDecoded) {
      const bytes = this.#view(this.#valueStart, this.#valueEnd)
      this.#value = this.#decode === undefined ? (bytes as T) : this.#decode(bytes)
      this.#isDecoded = true
    }
    return this.#value as T
  }

  /** Plain form, for logging and comparing. */
  toJSON(): Message<T> {
    const { topic, offset, timestamp, key, headers, value } = this
    return { topic, offset, timestamp, key, headers, value }
  }

  #view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start)
  }
}
