/** A message as the application and its modules see it. */
import { inspect } from 'node:util'
import { BookendError } from '../errors.js'
import { partsOf, type RecordPlace } from './chunk-cursor.js'
import { isTombstone } from './tombstone.js'
import { textOf } from './utf8.js'
import type { Decode } from './value-coding.js'

/**
 * One message of a topic. Its parts are read when they are asked for, so it loses them where something copies only an object's own
 * properties (`structuredClone`, `postMessage`, `{ ...message }`): copy {@link plain}, or take it apart (`const { value } = message`).
 */
export interface Message<T = Uint8Array> {
  /** Name of the topic. */
  readonly topic: string
  /** Dense number in the topic, from 0. */
  readonly offset: number
  /** Milliseconds since the epoch, set by the writer, never decreasing. */
  readonly timestamp: number
  /** As it was appended; a string as its UTF-8. */
  readonly key?: Uint8Array
  /** The key as text, decoded as UTF-8. */
  readonly keyText?: string
  /** As they were appended. */
  readonly headers?: Record<string, string>
  /**
   * The application's own copy: valid for ever. Only in a processor with `views: 'mapped'` not: there it is empty after the call.
   * @throws `BOOKEND_DECODE` where the codec of the topic cannot decode it
   */
  readonly value: T
  /** It says that there is nothing any more under its key, and has no value: it was written by `topic.delete(key)`. `value` is `undefined` then. */
  readonly tombstone: boolean
  /** A copy with all its parts, its memory its own: for `structuredClone`, `postMessage`, and for keeping a few messages of many. */
  plain(): PlainMessage<T>
  /** For `JSON.stringify`: bytes as text where they are UTF-8, otherwise in base64. */
  toJSON(): JsonMessage
}

/** A message as a plain object. */
export interface PlainMessage<T = Uint8Array> {
  /** Name of the topic. */
  topic: string
  /** See {@link Message.offset}. */
  offset: number
  /** See {@link Message.timestamp}. */
  timestamp: number
  /** See {@link Message.key}. */
  key?: Uint8Array
  /** See {@link Message.headers}. */
  headers?: Record<string, string>
  /** What the codec has decoded; of a tombstone `undefined`. */
  value: T
}

/** A message as JSON can say it. */
export interface JsonMessage {
  /** Name of the topic. */
  topic: string
  /** See {@link Message.offset}. */
  offset: number
  /** See {@link Message.timestamp}. */
  timestamp: number
  /** Text, or base64 where `keyEncoding` says so. */
  key?: string
  /** Only where the key is not UTF-8. */
  keyEncoding?: 'base64'
  /** See {@link Message.headers}. */
  headers?: Record<string, string>
  /** What the codec has decoded; bytes as text, or in base64 where `encoding` says so. Of a tombstone an empty text. */
  value: unknown
  /** Only where the value is bytes that are not UTF-8. */
  encoding?: 'base64'
}

/** What the messages of one stream have in common. */
export interface MessageSource<T> {
  topic: string
  /** undefined: values are the bytes themselves. */
  decode: Decode<T> | undefined
}

// A byte order mark is part of the text.
const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

function jsonBytes(bytes: Uint8Array): { text: string; encoding?: 'base64' } {
  try {
    return { text: strictDecoder.decode(bytes) }
  } catch {
    return { text: Buffer.from(bytes).toString('base64'), encoding: 'base64' }
  }
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

  get keyText(): string | undefined {
    const { keyStart, keyEnd } = partsOf(this.#words, this.#frame)
    return keyStart < 0 ? undefined : this.#text(keyStart, keyEnd)
  }

  get headers(): Record<string, string> | undefined {
    const { keyEnd, valueStart } = partsOf(this.#words, this.#frame)
    if (keyEnd === valueStart) return undefined
    return JSON.parse(this.#text(keyEnd, valueStart)) as Record<string, string>
  }

  get tombstone(): boolean {
    return isTombstone(this.#bytes, partsOf(this.#words, this.#frame))
  }

  get value(): T {
    if (this.#value === notDecoded) {
      const { valueStart, valueEnd } = partsOf(this.#words, this.#frame)
      const { decode } = this.#source
      if (valueStart === valueEnd && this.tombstone) this.#value = undefined as T
      else
        this.#value =
          decode === undefined ? (this.#view(valueStart, valueEnd) as T) : this.#decoded(decode, valueStart, valueEnd)
    }
    return this.#value
  }

  plain(): PlainMessage<T> {
    const { topic, offset, timestamp, key, headers, value } = this
    return {
      ...{ topic, offset, timestamp },
      ...(key !== undefined && { key: key.slice() }),
      ...(headers !== undefined && { headers }),
      // A view would take its whole chunk along.
      value: value instanceof Uint8Array ? (new Uint8Array(value) as T) : value,
    }
  }

  toJSON(): JsonMessage {
    const { topic, offset, timestamp, key, headers, value } = this
    const keyed = key && jsonBytes(key)
    const said =
      value instanceof Uint8Array ? jsonBytes(value) : { text: this.tombstone ? '' : value, encoding: undefined }
    return {
      ...{ topic, offset, timestamp },
      ...(keyed && { key: keyed.text, ...(keyed.encoding && { keyEncoding: keyed.encoding }) }),
      ...(headers && { headers }),
      value: said.text,
      ...(said.encoding && { encoding: said.encoding }),
    }
  }

  /** As `console.log` shows it: a value that cannot be decoded must not keep the rest from being seen. */
  [inspect.custom](): unknown {
    try {
      return this.plain()
    } catch (error) {
      const { topic, offset, timestamp, keyText, headers } = this
      return { topic, offset, timestamp, key: keyText, headers, error }
    }
  }

  #decoded(decode: Decode<T>, start: number, end: number): T {
    try {
      return this.#isGone() ? decode(this.#bytes, 0, 0) : decode(this.#bytes, start, end)
    } catch (cause) {
      const { topic, offset } = this
      const message = `the codec of topic "${topic}" cannot decode message ${offset}: ${String(cause)}`
      throw new BookendError('BOOKEND_DECODE', message, { topic, offset, cause })
    }
  }

  /** A message kept from a handler that works on the mapping: its memory has been taken back. */
  #isGone(): boolean {
    return this.#bytes.byteLength === 0
  }

  #text(start: number, end: number): string {
    return this.#isGone() ? '' : textOf(this.#bytes, start, end)
  }

  #view(start: number, end: number): Uint8Array {
    if (this.#isGone()) return this.#bytes
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start)
  }
}
