/** A message as the application and its modules see it. */
import { inspect } from 'node:util'
import { partsOf, type RecordPlace } from './chunk-cursor.js'

/** One message of a topic. */
export interface Message<T = Uint8Array> {
  readonly topic: string
  /** Dense number in the topic, from 0. */
  readonly offset: number
  /** Milliseconds since the epoch, set by the writer, never decreasing. */
  readonly timestamp: number
  readonly key?: Uint8Array
  readonly headers?: Record<string, string>
  /** The application's own copy: valid for ever. Only in a processor with `views: 'mapped'` not: there it is empty after the call. */
  readonly value: T
}

/** What the messages of one stream have in common. */
export interface MessageSource<T> {
  topic: string
  /** undefined: values are the bytes themselves. */
  decode: ((bytes: Uint8Array) => T) | undefined
}

const notDecoded = Symbol('not decoded')

/**
 * Decodes on first use: a reader that looks at offsets only pays for nothing else. The bytes are part of a chunk
 * that belongs to the application; keeping one message keeps its chunk (256 KiB) in memory.
 */
export class StoredMessage<T> implements Message<T> {
  readonly offset: number
  readonly timestamp: number
  readonly #source: MessageSource<T>
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #frame: number
  #value: T | typeof notDecoded = notDecoded

  /** @param place of the record: a cursor that stands on it will do */
  constructor(source: MessageSource<T>, place: RecordPlace) {
    this.offset = place.offset
    this.timestamp = place.timestamp
    this.#source = source
    this.#bytes = place.bytes
    this.#words = place.words
    this.#frame = place.frame
  }

  get topic(): string {
    return this.#source.topic
  }

  get key(): Uint8Array | undefined {
    const { keyStart, keyEnd } = partsOf(this.#words, this.#frame)
    return keyStart < 0 ? undefined : this.#view(keyStart, keyEnd)
  }

  get headers(): Record<string, string> | undefined {
    const { keyEnd, valueStart } = partsOf(this.#words, this.#frame)
    if (keyEnd === valueStart) return undefined
    return JSON.parse(Buffer.from(this.#view(keyEnd, valueStart)).toString('utf8')) as Record<string, string>
  }

  get value(): T {
    if (this.#value === notDecoded) {
      const { valueStart, valueEnd } = partsOf(this.#words, this.#frame)
      const bytes = this.#view(valueStart, valueEnd)
      const { decode } = this.#source
      this.#value = decode === undefined ? (bytes as T) : decode(bytes)
    }
    return this.#value
  }

  /** Plain form, for logging and comparing. */
  toJSON(): Message<T> {
    const { topic, offset, timestamp, key, headers, value } = this
    return { topic, offset, timestamp, key, headers, value }
  }

  [inspect.custom](): Message<T> {
    return this.toJSON()
  }

  #view(start: number, end: number): Uint8Array {
    // A message kept from a handler that works on the mapping: its memory has been taken back.
    if (this.#bytes.byteLength === 0) return this.#bytes
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start)
  }
}
