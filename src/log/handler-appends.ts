/** `context.append` of handlers: what a call appends is checked and encoded at once, and written when the call has gone well. */
import type { EngineFacts, Supports } from '../engine/engine.js'
import type { Durability, EncodedMessage, Extras, Payload } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { maxTransactionTopics } from '../limits.js'
import { bytes, type Codec, json, text } from '../messages/codec.js'
import { lastingEncoderOf } from '../messages/value-coding.js'
import { type AppendTrace, tracing } from '../tracing.js'
import { type AppendOptions, checkAppendOptions, checkSize } from './append-options.js'
import { withHeaders } from './traced-headers.js'
import { checkCodec, checkKeys, checkName } from './validate.js'

/** As `HandlerAppendOptions`. */
type Options = Pick<AppendOptions, 'key' | 'headers' | 'durability' | 'ttlMs' | 'expiresAt'> & {
  codec?: Codec<unknown>
}

const optionNames = ['key', 'headers', 'durability', 'ttlMs', 'expiresAt', 'codec']

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
    const { facts } = this.#log
    if (this.#isOver) {
      const remedy = 'a handler awaits what it starts before it returns, and appends before that'
      throw new TypeError(`context.append() was called when the call it belongs to was over: ${remedy}`)
    }
    checkName('topic', topic)
    checkKeys('append options', options, optionNames)
    if (facts.isReadOnly)
      throw new BookendError(
        'BOOKEND_READ_ONLY',
        `the log in ${facts.place} belongs to another process, which this one follows: context.append() writes nothing here`,
      )
    if (!tracing.append.start.hasSubscribers) {
      this.#add(topic, value, options)
      return
    }
    const trace: AppendTrace = { log: facts.place, topic, count: 1, headers: {} }
    tracing.append.traceSync(() => this.#add(topic, value, withHeaders(options, trace) ?? options), trace)
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

  #add(topic: string, value: unknown, { codec, ...options }: Options): void {
    const { level, extras } = checkAppendOptions(this.#log, options)
    const encoded = lastingEncoderOf(codec === undefined ? codecFor(value) : checkCodec(codec))(value)
    checkSize(this.#log, topic, encoded, extras)
    if (this.#log.supports.transactions) this.#count(topic, encoded, extras)
    this.#messages.push({ topic, value: ownCopy(encoded), extras: ownExtras(extras), level })
  }

  /** A transaction holds no more, and nobody's memory is filled before that is found out. */
  #count(topic: string, value: Payload, extras: Extras | undefined): void {
    const { messageBytesLimit } = this.#log.facts
    this.#topics ??= new Set()
    this.#topics.add(topic)
    this.#bytes += value.length + (extras?.key?.length ?? 0) + (extras?.headers?.length ?? 0)
    const what =
      this.#bytes > messageBytesLimit
        ? `more than the ${messageBytesLimit} bytes that one segment holds`
        : this.#topics.size > maxTransactionTopics
          ? `to more than ${maxTransactionTopics} topics`
          : undefined
    if (what === undefined) return
    const remedy = 'append less in one call, or lower batchSize'
    throw new BookendError('BOOKEND_TOO_LARGE', `a handler appends ${what} in one transaction: ${remedy}`, { topic })
  }
}

/** By what the value is: a handler names topics, which know nothing of codecs. */
function codecFor(value: unknown): Codec<unknown> {
  return (value instanceof Uint8Array ? bytes : typeof value === 'string' ? text : json) as Codec<unknown>
}

/** The memory is the handler's again, or the log's. */
function ownCopy(value: Payload): Payload {
  return typeof value === 'string' ? value : new Uint8Array(value)
}

function ownExtras(extras: Extras | undefined): Extras | undefined {
  return extras?.key === undefined ? extras : { ...extras, key: new Uint8Array(extras.key) }
}
