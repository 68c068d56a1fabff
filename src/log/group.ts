/** A named set of consumers of one topic, with one durable position. */

import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { Engine, EngineTopic } from '../engine/engine.js'
import type { CodecName } from '../messages/codec.js'
import { trimmedError } from '../threads/reader/reader.js'
import { type ConsumeOptions, type Delivery, GroupConsumer } from './group-consumer.js'
import { feedOf, type GroupFeed } from './group-feed.js'
import { checkProcessOptions, type ProcessOptions, type Processor } from './processor-options.js'
import {
  checkInteger,
  checkKeys,
  checkOffset,
  checkOneOf,
  checkSignal,
  checkSpan,
  checkTime,
  moduleUrl,
} from './validate.js'

export interface GroupPosition {
  /** All messages below are acknowledged. */
  committed: number
  /** Offset of the topic's next append. */
  next: number
  /** Messages not acknowledged yet. */
  lag: number
  /** Messages that were deleted before the group had acknowledged them, since the log was opened. */
  skipped: number
}

/**
 * A group of consumers. Every group sees every message of the topic; inside the group each message goes to one consumer, which
 * acknowledges it. Delivery is at least once: what is not acknowledged comes again, after a crash too; what is acknowledged does not.
 */
export interface Group<T> {
  readonly name: string
  /**
   * Messages for one consumer, each to be acknowledged. Consumers of a group share its messages, in any number; ending the
   * iteration gives back what this one holds. The iterator throws `BOOKEND_CORRUPT` where it meets damage: `seek` to the error's `next` goes on behind it.
   */
  consume(options?: ConsumeOptions): AsyncIterableIterator<Delivery<T>>
  /**
   * Runs the default export of a module over the group's messages, inside threads of its own, beside the data. Values come decoded
   * where the codec of the topic is `json` or `text`, or where the module exports a `codec`; otherwise they are bytes.
   * @param module URL of a module whose default export is a {@link Handler}
   * @throws TypeError, RangeError for bad options. Failures of the handler and of loading it: see {@link Processor.finished}
   */
  process(module: URL | string, options?: ProcessOptions): Processor
  /**
   * Goes on from there, backwards or forwards, with everything acknowledged below and nothing above. Acknowledgements of
   * what was delivered before mean nothing any more. Resolves once it survives a crash.
   * @throws `BOOKEND_TRIMMED` below the oldest readable offset, RangeError above the next one
   */
  seek(to: number | 'first' | 'next' | Date): Promise<void>
  /** Where the group stands. A group that was never used stands at the oldest readable message. */
  position(): Promise<GroupPosition>
  /** Forgets the group; its consumers and processors end. Using it again starts it anew. */
  remove(): Promise<void>
}

const maxPrefetch = 1_000_000
const maxTimeoutMs = 2 ** 31 - 1

export class TopicGroup<T> implements Group<T> {
  readonly name: string
  readonly #engine: Engine
  readonly #topic: EngineTopic
  readonly #decode: ((encoded: Uint8Array) => T) | undefined
  readonly #desk: GroupDesk
  readonly #feed: GroupFeed
  readonly #codec: CodecName | undefined
  readonly #offsetAt: (time: Date) => Promise<number>

  constructor(
    engine: Engine,
    topic: EngineTopic,
    name: string,
    decode: ((encoded: Uint8Array) => T) | undefined,
    codec: CodecName | undefined,
    offsetAt: (time: Date) => Promise<number>,
  ) {
    this.name = name
    this.#engine = engine
    this.#topic = topic
    this.#decode = decode
    this.#codec = codec
    this.#desk = engine.group(topic, name)
    this.#feed = feedOf(engine, topic, this.#desk)
    this.#offsetAt = offsetAt
  }

  consume(options: ConsumeOptions = {}): AsyncIterableIterator<Delivery<T>> {
    checkKeys('consume()', options, ['from', 'prefetch', 'ackTimeoutMs', 'signal'])
    const { from = 'first', prefetch = 1_000, ackTimeoutMs = 30_000 } = options
    const checked = {
      from: checkOneOf('from', from, ['first', 'next']),
      prefetch: checkInteger('prefetch', prefetch, 1, maxPrefetch),
      ackTimeoutMs: checkSpan('ackTimeoutMs', ackTimeoutMs, 1, maxTimeoutMs),
      signal: checkSignal(options.signal),
    }
    this.#engine.checkWritable()
    const source = { topic: this.#topic.name, decode: this.#decode }
    return new GroupConsumer<T>(this.#engine, this.#desk, this.#feed, source, checked)
  }

  process(module: URL | string, options: ProcessOptions = {}): Processor {
    const url = moduleUrl(module)
    const checked = checkProcessOptions(options)
    this.#engine.checkWritable()
    return this.#engine.process(this.#desk, url, { ...checked, codec: this.#codec })
  }

  async seek(to: number | 'first' | 'next' | Date): Promise<void> {
    if (to instanceof Date) checkTime('to', to)
    else if (to !== 'first' && to !== 'next') checkOffset("to (an offset, 'first', 'next' or a Date)", to)
    this.#engine.checkWritable()
    await this.#desk.open('first')
    const target = await this.#target(to)
    const first = this.#engine.first(this.#topic)
    const next = this.#engine.next(this.#topic)
    if (target < first) throw trimmedError(this.#topic.name, target, first)
    if (target > next)
      throw new RangeError(
        `offset ${target} of topic "${this.#topic.name}" is not written yet: the next one is ${next}`,
      )
    await this.#desk.seek(target)
  }

  async position(): Promise<GroupPosition> {
    this.#engine.checkOpen()
    const first = this.#engine.first(this.#topic)
    const next = this.#engine.next(this.#topic)
    if (!this.#desk.exists) return { committed: first, next, lag: next - first, skipped: 0 }
    await this.#desk.open('first')
    const { ledger, skipped } = this.#desk.refreshed()
    return { committed: ledger.committed, next, lag: ledger.remaining(next), skipped }
  }

  async remove(): Promise<void> {
    this.#engine.checkWritable()
    await this.#desk.remove()
  }

  async #target(to: number | 'first' | 'next' | Date): Promise<number> {
    if (to === 'first') return this.#engine.first(this.#topic)
    if (to === 'next') return this.#engine.next(this.#topic)
    return typeof to === 'number' ? to : this.#offsetAt(to)
  }
}
