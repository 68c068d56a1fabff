/** One call of a handler function, with one message: what it is given, when it has taken too long, and what it appends. */
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type { EngineGroup, EngineLease, ProcessSettings } from '../../engine/group-seat.js'
import type { HandlerContext } from '../../engine/handler.js'
import type { EncodedMessage } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { partsOf } from '../../messages/encoded.js'
import { doneWord, noResultsError, progressWord } from '../../messages/job-words.js'
import { type Message, type MessageSource, StoredMessage } from '../../messages/message.js'
import { tracing } from '../../tracing.js'
import { HandlerAppends, type LineIntoLog } from '../handler-appends.js'
import type { TimedCall } from './call-deadlines.js'
import { type CallUnderWay, callWithin } from './call-under-way.js'

/** What a function is told beside its message, and what it may do. */
export interface FunctionContext extends HandlerContext {
  /**
   * Says how far the call is, in the topic `results` of the processor: at once, and not with the message's acknowledgement.
   * @param done as a number or a word
   * @returns once that is appended; need not be awaited
   * @throws TypeError (from the promise) for another value, without the option `results`, and once the call is over; as `Topic.append`
   */
  progress(done: number | string): Promise<void>
}

/** A handler in the calling thread: it has handled the message when it has returned, or its promise has resolved. */
export type MessageHandler<T = Uint8Array> = (message: Message<T>, context: FunctionContext) => unknown

/** There was no room for what the call appends: nobody's fault. */
export class UnwrittenError extends Error {}

/**
 * How a call has ended. `acknowledged`: it has gone well, and what it appends is written in one with its acknowledgement. `handled`: it has gone well,
 * and the message is still to be acknowledged. `taken`: others have acknowledged it, and nothing was written. Otherwise why it has failed.
 */
export type CallEnd = 'acknowledged' | 'handled' | 'taken' | Error

export interface FunctionCallParts<T> {
  readonly engine: Engine
  readonly topic: EngineTopic
  readonly group: EngineGroup
  readonly source: MessageSource<T>
  readonly handler: MessageHandler<T>
  readonly settings: Pick<ProcessSettings, 'timeoutMs' | 'data' | 'results'>
}

export class FunctionCall<T> implements TimedCall, CallUnderWay {
  /** By `performance.now()`. */
  readonly beganMs = performance.now()
  readonly of: FunctionCallParts<T>
  readonly #message: Message<T>
  readonly #attempt: number
  /** Undefined: nobody has looked at the signal. */
  #abort: AbortController | undefined
  /** Undefined: nothing was appended. */
  #appends: HandlerAppends<EngineLease> | undefined
  /** What it does with its promise is of no account any more. */
  isOver = false
  /** What its signal says, or will say to who looks. */
  #ending: { readonly reason?: Error } | undefined
  #settle: (end: CallEnd | Promise<CallEnd>) => void = () => {}

  constructor(parts: FunctionCallParts<T>, record: RecordPlace, attempt: number) {
    this.of = parts
    this.#message = new StoredMessage<T>(parts.source, record)
    this.#attempt = attempt
  }

  /** The processor stops: the handler's signal says so. */
  askToEnd(): void {
    this.#end({})
  }

  /** A function cannot be ended from outside: its signal fires, and it counts as failed. */
  expire(): void {
    if (this.isOver) return
    const error = new Error(`the handler has taken more than ${this.of.settings.timeoutMs} ms`)
    this.#over()
    this.#end({ reason: error })
    this.#settle(error)
  }

  /** Never rejects. @param lease of the message */
  run(lease: EngineLease): Promise<CallEnd> {
    return new Promise((resolve) => {
      this.#settle = resolve
      try {
        const returned = this.#handle()
        if (!isThenable(returned)) resolve(this.#finish(returned, lease))
        else
          returned.then(
            (result) => resolve(this.#finish(result, lease)),
            (error) => resolve(this.#fail(error)),
          )
      } catch (error) {
        resolve(this.#fail(error))
      }
    })
  }

  /** It has gone well. @returns nothing that counts where it is over already */
  #finish(result: unknown, lease: EngineLease): CallEnd | Promise<CallEnd> {
    if (this.isOver || (this.of.settings.results === undefined && this.#appends === undefined)) {
      this.isOver = true
      return 'handled'
    }
    return this.#write(result, lease).catch((error) => this.#fail(error))
  }

  async #write(result: unknown, lease: EngineLease): Promise<CallEnd> {
    const { engine, settings } = this.of
    const appends = this.appends
    if (settings.results !== undefined) {
      const { value, options } = doneWord(this.#message, this.#attempt, result)
      appends.append(settings.results, value, options)
    }
    this.#over()
    if (appends.count === 0) return 'handled'
    if (!(await appends.write(lease))) return 'taken'
    return engine.supports.transactions ? 'acknowledged' : 'handled'
  }

  #fail(error: unknown): Error {
    this.#over()
    return asError(error)
  }

  /** Nothing more is appended. */
  #over(): void {
    this.isOver = true
    this.#appends?.end()
  }

  #handle(): unknown {
    const { handler } = this.of
    const context = new CallContext(this.of, this.#attempt, this)
    if (!tracing.process.start.hasSubscribers) return callWithin(this, handler, this.#message, context)
    const { topic, group, attempt } = context
    const call = async () => callWithin(this, handler, this.#message, context)
    return tracing.process.tracePromise(call, { topic, group, attempt, batch: [this.#message] })
  }

  #end(ending: { readonly reason?: Error }): void {
    this.#ending ??= ending
    this.#abort?.abort(ending.reason)
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#ending !== undefined) this.#abort.abort(this.#ending.reason)
    }
    return this.#abort.signal
  }

  get appends(): HandlerAppends<EngineLease> {
    if (this.#appends === undefined) {
      const { engine } = this.of
      this.#appends = new HandlerAppends(engine, lineInto(engine))
      if (this.isOver) this.#appends.end()
    }
    return this.#appends
  }

  progress(done: number | string): Promise<void> {
    const saying = this.#say(done)
    // Whoever awaits it hears of it, and nobody has to.
    saying.catch(() => {})
    return saying
  }

  async #say(done: number | string): Promise<void> {
    const { results } = this.of.settings
    if (results === undefined) throw noResultsError()
    const { value, options } = progressWord(this.#message, this.#attempt, done)
    await this.appends.say(results, value, options)
  }
}

type CallMeans = Pick<FunctionCall<never>, 'signal' | 'appends' | 'progress'>
type CallPlace = Pick<FunctionCallParts<never>, 'group' | 'topic' | 'settings'>

/** What few handlers look at is made when they do. They may take it out of here. */
class CallContext implements FunctionContext {
  readonly group: string
  readonly topic: string
  readonly attempt: number
  readonly data: unknown
  readonly #call: CallMeans

  constructor({ group, topic, settings }: CallPlace, attempt: number, call: CallMeans) {
    this.group = group.name
    this.topic = topic.name
    this.attempt = attempt
    this.data = settings.data
    this.#call = call
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get append(): FunctionContext['append'] {
    return this.#call.appends.append
  }

  get schedule(): FunctionContext['schedule'] {
    return this.#call.appends.schedule
  }

  get progress(): FunctionContext['progress'] {
    return (done) => this.#call.progress(done)
  }
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  try {
    return new Error(String(thrown))
  } catch {
    return new Error('something that cannot be told as text was thrown')
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function lineInto(engine: Engine): LineIntoLog<EngineLease> {
  const { transactions } = engine
  const say = async ({ topic, value, extras, level }: EncodedMessage) =>
    engine.topic(topic).append(value, extras, level)
  if (transactions === undefined) return { write: (messages) => writeAll(engine, messages), say }
  return {
    say,
    async write(encoded, lease, level) {
      try {
        await transactions.transact(partsOf(encoded), { leases: [lease], commits: [] }, level)
        return true
      } catch (error) {
        if (error instanceof BookendError && error.code === 'BOOKEND_CONFLICT') return false
        throw unwritten(error)
      }
    },
  }
}

/** One by one. Nothing is under way any more when it rejects. */
async function writeAll(engine: Engine, messages: readonly EncodedMessage[]): Promise<true> {
  const written = await Promise.allSettled(
    messages.map(async ({ topic, value, extras, level }) => engine.topic(topic).append(value, extras, level)),
  )
  for (const each of written) if (each.status === 'rejected') throw unwritten(each.reason)
  return true
}

function unwritten(reason: unknown): unknown {
  return reason instanceof BookendError && reason.code === 'BOOKEND_NO_SPACE'
    ? new UnwrittenError(reason.message, { cause: reason })
    : reason
}
