/** `context.append` of handlers: what a call appends is checked and encoded at once, and written when the call has gone well. */
import type { EngineFacts, Supports } from '../engine/engine.js'
import type { EncodedMessage, Extras, Payload } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { bytes, type Codec, json, text } from '../messages/codec.js'
import { lastingEncoderOf } from '../messages/value-coding.js'
import { type AppendTrace, tracing } from '../tracing.js'
import { type AppendOptions, checkAppendOptions, checkSize } from './append-options.js'
import { withHeaders } from './traced-headers.js'
import { checkCodec, checkKeys, checkName } from './validate.js'

/** As `HandlerAppendOptions`. */
type Options = Pick<AppendOptions, 'key' | 'headers' | 'durability'> & { codec?: Codec<unknown> }

const optionNames = ['key', 'headers', 'durability', 'codec']

/** The log, as far as it is asked before anything is written. */
interface HandlerLog {
  readonly facts: EngineFacts
  readonly supports: Supports
}

/** The way of a thread into the log. */
interface LineIntoLog {
  /** In this order. Nothing is under way any more when it rejects. */
  append(messages: readonly EncodedMessage[]): Promise<void>
}

/** For all calls of one thread. */
export function meansOf({ data, ...log }: HandlerLog & { readonly data: unknown }, line: LineIntoLog) {
  return { data, beginAppends: () => new HandlerAppends(log, line) }
}

export class HandlerAppends {
  readonly #log: HandlerLog
  readonly #line: LineIntoLog
  readonly #messages: EncodedMessage[] = []
  /** The call is over, and takes nothing more. */
  #isOver = false

  /** One for each call. */
  constructor(log: HandlerLog, line: LineIntoLog) {
    this.#log = log
    this.#line = line
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

  write(): Promise<void> | undefined {
    this.#isOver = true
    return this.#messages.length === 0 ? undefined : this.#line.append(this.#messages)
  }

  drop(): void {
    this.#isOver = true
  }

  #add(topic: string, value: unknown, { codec, ...options }: Options): void {
    const { level, extras } = checkAppendOptions(this.#log, options)
    const encoded = lastingEncoderOf(codec === undefined ? codecFor(value) : checkCodec(codec))(value)
    checkSize(this.#log, topic, encoded, extras)
    this.#messages.push({ topic, value: ownCopy(encoded), extras: ownExtras(extras), level })
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
