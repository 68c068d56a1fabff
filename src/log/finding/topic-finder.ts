/** What is found in a topic by what it is: counted, or had by key, in a range of offsets or times. */
import { abortable } from '../../abortable.js'
import type { Engine, EngineTopic, KeyedRange } from '../../engine/engine.js'
import type { Filter } from '../../engine/terms.js'
import { isTrimmed, trimmedError } from '../../failures.js'
import { unexpired } from '../../messages/expiry.js'
import { type Message, type MessageSource, StoredMessage } from '../../messages/message.js'
import { assertBounds, assertOffset } from '../answers.js'
import { encodeExtras } from '../extras.js'
import { ChunkedStream } from '../message-stream.js'
import { checkSupported } from '../supported.js'
import { checkBoolean, checkInteger, checkKeys, checkPlace, checkSignal } from '../validate.js'
import { type KeyOptions, keyedMessages } from './keyed-messages.js'
import { checkWhere, type Where } from './where.js'

const countModule = new URL('../../messages/count-module.js', import.meta.url).href

/** Which messages are counted. */
export interface CountOptions {
  /** First offset, or a time; the oldest readable message unless said. */
  from?: number | Date
  /** End, exclusive, as an offset or a time; the next offset at the time of the call unless said. */
  to?: number | Date
  /** Only messages with these headers. */
  where?: Where
  /** Ends the count with its reason. */
  signal?: AbortSignal
}

/** What of a topic a call is about. */
export interface CheckedRange {
  readonly from: number
  readonly to: number
  readonly filter: Filter | undefined
  readonly signal: AbortSignal | undefined
}

export class TopicFinder<T> {
  readonly #engine: Engine
  readonly #topic: EngineTopic
  readonly #source: MessageSource<T>

  constructor(engine: Engine, topic: EngineTopic, source: MessageSource<T>) {
    this.#engine = engine
    this.#topic = topic
    this.#source = source
  }

  async count(options: CountOptions): Promise<number> {
    checkKeys('count()', options, ['from', 'to', 'where', 'signal'])
    let range = await this.range(options)
    for (;;)
      try {
        return await this.#counted(range)
      } catch (error) {
        // Of all that there is: what went while it was counted is none of it any more. It begins further on each time, so it ends.
        if (options.from !== undefined || !isTrimmed(error)) throw error
        const from = (await this.#topic.bounds()).first
        if (from <= range.from) throw error
        range = { ...range, from: Math.min(from, range.to) }
      }
  }

  async #counted(range: CheckedRange): Promise<number> {
    const { from, to, filter, signal } = range
    if (from === to) return 0
    if (filter === undefined && !this.#topic.mayExpire) return to - from
    if (this.#engine.supports.scan)
      return abortable(signal, this.#topic.scan({ ...range, module: countModule }) as Promise<number>)
    let count = 0
    const read = { start: async () => from, to, follow: false, signal, filter }
    for await (const { length } of new ChunkedStream(this.#topic, undefined, read).chunks()) count += length
    return count
  }

  /** As the first of {@link byKey}, without its iterator: what is at hand is answered in a few microseconds. */
  async last(key: string | Uint8Array): Promise<Message<T> | undefined> {
    const bytes = this.#checkKey(key)
    const { first, next } = await this.#topic.bounds()
    let range: KeyedRange = { from: first, to: next, max: 1, isReverse: true }
    while (range.from < range.to) {
      const part = await this.#topic.keyed(bytes, range)
      const record = unexpired(part.records[0])
      if (record !== undefined) return new StoredMessage(this.#source, record)
      this.#engine.checkOpen()
      range = { ...range, from: part.from, to: part.to }
    }
    return undefined
  }

  byKey(key: string | Uint8Array, options: KeyOptions): AsyncIterableIterator<Message<T>> {
    checkKeys('byKey()', options, ['from', 'to', 'limit', 'reverse', 'signal'])
    const { limit = 100, reverse = true, from, to } = options
    const max = checkInteger('limit', limit, 1, Number.MAX_SAFE_INTEGER)
    const isReverse = checkBoolean('reverse', reverse)
    if (from !== undefined) checkPlace('from', from)
    if (to !== undefined) checkPlace('to', to)
    const signal = checkSignal(options.signal)
    const bytes = this.#checkKey(key)
    const begin = async () => ({ ...(await this.range({ from, to, signal })), max, isReverse })
    return keyedMessages(this.#engine, this.#topic, this.#source, bytes, begin, signal)
  }

  /** What is looked for is what was passed, whatever the caller does with its buffer meanwhile. */
  #checkKey(key: unknown): Uint8Array {
    const bytes = encodeExtras(key as string | Uint8Array, undefined)?.key
    if (bytes === undefined) throw new TypeError('key is a string or a Uint8Array')
    checkSupported(this.#engine, this.#engine.supports.keys, 'messages by key')
    this.#engine.checkOpen()
    // `slice` of a Buffer would be a view of it, and take along all that it is a view of wherever it is sent.
    return typeof key === 'string' ? bytes : new Uint8Array(bytes)
  }

  /** @throws `BOOKEND_TRIMMED` if it begins below the oldest readable offset */
  async range(options: CountOptions): Promise<CheckedRange> {
    const filter = checkWhere(options.where)
    const signal = checkSignal(options.signal)
    const { from: start, to } = options
    if (start !== undefined) checkPlace('from', start)
    if (to !== undefined) checkPlace('to', to)
    this.#engine.checkOpen()
    signal?.throwIfAborted()
    const bounds = await this.#topic.bounds()
    assertBounds(bounds)
    const { first, next } = bounds
    const from = start === undefined ? first : await this.offsetOf(start)
    if (from < first) throw trimmedError(this.#topic.name, from, first)
    const end = to === undefined ? next : await this.offsetOf(to)
    return { from, to: Math.max(from, Math.min(next, end)), filter, signal }
  }

  /** @param place an offset, or a time */
  async offsetOf(place: number | Date): Promise<number> {
    if (typeof place === 'number') return place
    this.#engine.checkOpen()
    const offset = await this.#topic.offsetAt(place.getTime())
    assertOffset(offset)
    return offset
  }
}
