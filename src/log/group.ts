/** A named set of consumers of one topic, with one durable position. */
import type { Engine, EngineTopic } from '../engine/engine.js'
import type { EngineGroup, ProcessSettings } from '../engine/group-seat.js'
import type { Bounds, Filter, GroupPosition } from '../engine/terms.js'
import { trimmedError } from '../failures.js'
import { maxTimerMs } from '../limits.js'
import type { CodecName } from '../messages/codec.js'
import type { Decode } from '../messages/value-coding.js'
import { assertBounds, assertPosition } from './answers.js'
import type { Delivery } from './delivery.js'
import { type ConsumeOptions, GroupConsumer } from './group-consumer.js'
import {
  checkDurableRetries,
  checkFunctionOptions,
  checkProcessOptions,
  type ProcessOptions,
  type Processor,
} from './processor-options.js'
import { checkGroups, checkSupported, schedulesOf } from './supported.js'
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
import type { MessageHandler } from './work/function-call.js'
import { functionProcessorsOf } from './work/function-processors.js'
import type { Turns } from './work/slots.js'

/**
 * A group of consumers. Every group sees every message of the topic; inside the group each message goes to one consumer, which
 * acknowledges it. Delivery is at least once: what is not acknowledged comes again, after a crash too; what is acknowledged does not.
 */
export interface Group<T> {
  /** Name of the group. */
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
   * Calls a function of this thread with one message after the other, decoded by the topic's codec; with a `concurrency` above 1, and the order
   * `key` or `none`, with several side by side. For work that waits: what computes belongs into a module, beside the event loop.
   *
   * A function cannot be ended from outside: one that takes longer than `timeoutMs` counts as failed, its `context.signal` fires, and the
   * message is tried again, while the call may still be at work. The options `batchSize`, `views` and `maxHeapMb` are for modules.
   */
  process(handler: MessageHandler<T>, options?: ProcessOptions): Processor
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

export class TopicGroup<T> implements Group<T> {
  readonly name: string
  readonly #engine: Engine
  readonly #topic: EngineTopic
  readonly #filter: Filter | undefined
  readonly #decode: Decode<T> | undefined
  readonly #codec: CodecName | undefined

  constructor(
    engine: Engine,
    topic: EngineTopic,
    { name, filter }: { readonly name: string; readonly filter: Filter | undefined },
    decode: Decode<T> | undefined,
    codec: CodecName | undefined,
  ) {
    this.name = name
    this.#engine = engine
    this.#topic = topic
    this.#filter = filter
    // That it has another filter is said now.
    if (filter !== undefined) topic.group(name).filter(filter)
    this.#decode = decode
    this.#codec = codec
  }

  /** Its filter is said again: the group may have been removed since, and with it what was said of it. */
  get #group(): EngineGroup {
    const group = this.#topic.group(this.name)
    if (this.#filter !== undefined) group.filter(this.#filter)
    return group
  }

  /** For a transaction of `engine`. @throws TypeError if it is another log's group */
  groupIn(engine: Engine): EngineGroup {
    if (engine !== this.#engine) throw new TypeError(`group "${this.name}" is of another log than the transaction`)
    return this.#group
  }

  consume(options: ConsumeOptions = {}): AsyncIterableIterator<Delivery<T>> {
    checkKeys('consume()', options, ['from', 'prefetch', 'ackTimeoutMs', 'signal'])
    const { from = 'first', prefetch = 1_000, ackTimeoutMs = 30_000 } = options
    const checked = {
      from: checkOneOf('from', from, ['first', 'next']),
      prefetch: checkInteger('prefetch', prefetch, 1, maxPrefetch),
      ackTimeoutMs: checkSpan('ackTimeoutMs', ackTimeoutMs, 1, maxTimerMs),
      signal: checkSignal(options.signal),
    }
    checkGroups(this.#engine)
    const source = { topic: this.#topic.name, decode: this.#decode }
    return new GroupConsumer<T>(this.#group, source, checked, this.#engine.facts.place)
  }

  /** @param turns in which calls of a function are made, where others share them */
  process(handler: URL | string | MessageHandler<T>, options: ProcessOptions = {}, turns?: Turns): Processor {
    const url = typeof handler === 'function' ? undefined : moduleUrl(handler)
    if (url === undefined) checkFunctionOptions(options)
    const checked = checkProcessOptions(options)
    if (checked.durableRetries) {
      checkDurableRetries(options)
      schedulesOf(this.#engine, 'durableRetries')
    }
    const { deadLetter, results } = checked
    for (const [name, target] of Object.entries({ deadLetter, results }))
      if (target === this.#topic.name)
        throw new RangeError(
          `${name} is another topic than "${target}": what is written there would come back without end`,
        )
    if (typeof handler === 'function') return this.#call(handler, checked, turns)
    checkSupported(this.#engine, this.#engine.supports.process, 'process()')
    checkGroups(this.#engine)
    return this.#group.process(url as string, { ...checked, codec: this.#codec })
  }

  #call(handler: MessageHandler<T>, settings: Omit<ProcessSettings, 'codec'>, turns: Turns | undefined): Processor {
    const engine = this.#engine
    checkGroups(engine)
    // Nothing can be written: said before the first message fails.
    if (settings.deadLetter !== undefined || settings.results !== undefined) engine.checkWritable()
    const source = { topic: this.#topic.name, decode: this.#decode }
    const parts = { engine, topic: this.#topic, group: this.#group, source, handler, settings, turns }
    return functionProcessorsOf(engine).start(parts)
  }

  async seek(to: number | 'first' | 'next' | Date): Promise<void> {
    if (to instanceof Date) checkTime('to', to)
    else if (to !== 'first' && to !== 'next') checkOffset("to (an offset, 'first', 'next' or a Date)", to)
    checkGroups(this.#engine)
    const { name } = this.#topic
    const asked = to instanceof Date ? await this.#topic.offsetAt(to.getTime()) : to
    const bounds = await this.#topic.bounds()
    assertBounds(bounds)
    const target = offsetOf(asked, bounds)
    if (target < bounds.first) throw trimmedError(name, target, bounds.first)
    if (target > bounds.next)
      throw new RangeError(`offset ${target} of topic "${name}" is not written yet: the next one is ${bounds.next}`)
    await this.#group.seek(target)
  }

  async position(): Promise<GroupPosition> {
    this.#engine.checkOpen()
    const position = await this.#group.position()
    assertPosition(position)
    return position
  }

  async remove(): Promise<void> {
    checkGroups(this.#engine)
    await this.#group.remove()
  }
}

function offsetOf(to: number | 'first' | 'next', { first, next }: Bounds): number {
  return to === 'first' ? first : to === 'next' ? next : to
}
