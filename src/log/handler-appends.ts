/** `context.append` and `context.schedule` of handlers: what a call asks for is checked and encoded at once, and written when the call has gone well. */
import type { EngineFacts, Supports } from '../engine/engine.js'
import type { Durability, EncodedMessage, Payload } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { maxTransactionTopics } from '../limits.js'
import { bytes, type Codec, json, text } from '../messages/codec.js'
import { copyOf, copyOfExtras } from '../messages/own-copies.js'
import { lastingEncoderOf } from '../messages/value-coding.js'
import { type AppendTrace, tracing } from '../tracing.js'
import { type AppendOptions, checkAppendOptions, checkSize } from './append-options.js'
import { checkScheduled, deliveryTimeNames, type ScheduleOptions } from './later/schedule-options.js'
import { checkSupported } from './supported.js'
import { withHeaders } from './traced-headers.js'
import { checkCodec, checkKeys, checkName } from './validate.js'

/** As `HandlerAppendOptions`. */
type Options = Pick<AppendOptions, 'key' | 'headers' | 'durability' | 'ttlMs' | 'expiresAt'> & {
  codec?: Codec<unknown>
}

/** As `HandlerScheduleOptions`. */
type LaterOptions = Omit<ScheduleOptions, 'id'> & { codec?: Codec<unknown> }

const optionNames = ['key', 'headers', 'durability', 'ttlMs', 'expiresAt', 'codec']
const laterOptionNames = [...optionNames, ...deliveryTimeNames]

/** The log, as far as it is asked before anything is written. */
interface HandlerLog {
  readonly facts: EngineFacts
  readonly supports: Supports
}

/** The way of a thread into the log. @typeParam H how the messages are named that a call was given */
export interface LineIntoLog<H> {
  /**
   * In this order, where the log has transactions in one with the acknowledgement.
   * @returns false: the messages that were handled are others', and nothing was written
   * @throws (from the promise) what has kept it from being written. Nothing is under way any more
   */
  write(messages: readonly EncodedMessage[], handled: H, level: Durability): Promise<boolean>
  /** By itself. Resolves once it is appended. */
  say(message: EncodedMessage): Promise<unknown>
}

/** For all calls of one thread. */
export function meansOf<H>({ data, ...log }: HandlerLog & { readonly data: unknown }, line: LineIntoLog<H>) {
  return { data, beginAppends: () => new HandlerAppends(log, line) }
}

export class HandlerAppends<H> {
  readonly #log: HandlerLog
  readonly #line: LineIntoLog<H>
  readonly #messages: EncodedMessage[] = []
  #topics: Set<string> | undefined
  #bytes = 0
  /** The call is over, and takes nothing more. */
  #isOver = false

  /** One for each call. */
  constructor(log: HandlerLog, line: LineIntoLog<H>) {
    this.#log = log
    this.#line = line
  }

  /** How many messages there are. */
  get count(): number {
    return this.#messages.length
  }

  /** Handlers may take it out of their context. */
  readonly append = (topic: string, value: unknown, options: Options = {}): void => {
    this.#check('append', topic)
    checkKeys('append options', options, optionNames)
    this.#checkWritable('append')
    const { facts } = this.#log
    if (!tracing.append.start.hasSubscribers) {
      this.#add(topic, value, options)
      return
    }
    const trace: AppendTrace = { log: facts.place, topic, count: 1, headers: {} }
    tracing.append.traceSync(() => this.#add(topic, value, withHeaders(options, trace) ?? options), trace)
  }

  /** The same. */
  readonly schedule = (topic: string, value: unknown, options: LaterOptions): void => {
    this.#check('schedule', topic)
    checkKeys('schedule options', options, laterOptionNames)
    this.#checkWritable('schedule')
    checkSupported(this.#log, this.#log.supports.schedules, 'scheduled messages')
    const { codec, ...rest } = options
    const { level, message } = checkScheduled(this.#log, topic, () => encoded(value, codec), rest, undefined)
    this.#keep({ ...message, level })
  }

  /** At once, and not with what the call has come to. Resolves once it is appended. @throws (from the promise) as {@link append} */
  async say(topic: string, value: unknown, options: Options): Promise<void> {
    this.#check('progress', topic)
    this.#checkWritable('progress')
    await this.#line.say(this.#encoded(topic, value, options))
  }

  /** The call has gone well. See {@link LineIntoLog.write}. */
  write(handled: H): Promise<boolean> {
    // What is written at one moment is as durable as the most durable of it.
    const level = this.#messages.reduce(
      (most, each) => (each.level === 'process' ? most : each.level),
      'process' as Durability,
    )
    return this.#line.write(this.#messages, handled, level)
  }

  /** Nothing more is taken. */
  end(): void {
    this.#isOver = true
  }

  #add(topic: string, value: unknown, options: Options): void {
    this.#keep(this.#encoded(topic, value, options))
  }

  #encoded(topic: string, value: unknown, { codec, ...options }: Options): EncodedMessage {
    const { level, extras } = checkAppendOptions(this.#log, options)
    const bytes = encoded(value, codec)
    checkSize(this.#log, topic, bytes, extras)
    return { topic, value: bytes, extras, level }
  }

  #keep({ topic, value, extras, level, due }: EncodedMessage): void {
    if (this.#log.supports.transactions) this.#count({ topic, value, extras, due })
    this.#messages.push({ topic, value: copyOf(value), extras: copyOfExtras(extras), level, due })
  }

  #check(verb: string, topic: string): void {
    if (this.#isOver) {
      const remedy = 'a handler awaits what it starts before it returns'
      throw new TypeError(`context.${verb}() was called when the call it belongs to was over: ${remedy}`)
    }
    checkName('topic', topic)
  }

  #checkWritable(verb: string): void {
    const { facts } = this.#log
    if (!facts.isReadOnly) return
    const whose = `the log in ${facts.place} belongs to another process, which this one follows`
    throw new BookendError('BOOKEND_READ_ONLY', `${whose}: context.${verb}() writes nothing here`)
  }

  /** A transaction holds no more, and nobody's memory is filled before that is found out. */
  #count({ topic, value, extras, due }: Omit<EncodedMessage, 'level'>): void {
    const { messageBytesLimit } = this.#log.facts
    this.#topics ??= new Set()
    // All that is scheduled stands in one topic till then.
    if (due === undefined) this.#topics.add(topic)
    this.#bytes += value.length + (extras?.key?.length ?? 0) + (extras?.headers?.length ?? 0)
    const what =
      this.#bytes > messageBytesLimit
        ? `more than the ${messageBytesLimit} bytes that one segment holds`
        : this.#topics.size > maxTransactionTopics
          ? `to more than ${maxTransactionTopics} topics`
          : undefined
    if (what === undefined) return
    const remedy = 'append and schedule less in one call, or lower batchSize'
    throw new BookendError('BOOKEND_TOO_LARGE', `a handler writes ${what} in one transaction: ${remedy}`, { topic })
  }
}

function encoded(value: unknown, codec: Codec<unknown> | undefined): Payload {
  return lastingEncoderOf(codec === undefined ? codecFor(value) : checkCodec(codec))(value)
}

/** By what the value is: a handler names topics, which know nothing of codecs. */
function codecFor(value: unknown): Codec<unknown> {
  return (value instanceof Uint8Array ? bytes : typeof value === 'string' ? text : json) as Codec<unknown>
}
