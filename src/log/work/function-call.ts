/** One call of a handler function, with one message: what it is given, when it has taken too long, and what it appends. */
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type { EngineGroup, EngineLease, ProcessSettings } from '../../engine/group-seat.js'
import type { HandlerContext } from '../../engine/handler.js'
import type { EncodedMessage } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { partsOf } from '../../messages/encoded.js'
import { type Message, type MessageSource, StoredMessage } from '../../messages/message.js'
import { tracing } from '../../tracing.js'
import { HandlerAppends, type LineIntoLog } from '../handler-appends.js'
import type { JobResults } from './job-results.js'

/** What a function is told beside its message, and what it may do. */
export interface FunctionContext extends HandlerContext {
  /**
   * Says how far the call is, in the topic `results` of the processor: at once, and not with the message's acknowledgement.
   * @param done as a number or a word
   * @returns once that is appended; need not be awaited
   * @throws TypeError (from the promise) for another value, or without the option `results`; as `Topic.append`
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
  readonly settings: Pick<ProcessSettings, 'timeoutMs' | 'data'>
}

export class FunctionCall<T> {
  readonly #parts: FunctionCallParts<T>
  readonly #message: Message<T>
  readonly #attempt: number
  readonly #results: JobResults | undefined
  readonly #abort = new AbortController()

  constructor(parts: FunctionCallParts<T>, record: RecordPlace, attempt: number, results: JobResults | undefined) {
    this.#parts = parts
    this.#message = new StoredMessage<T>(parts.source, record)
    this.#attempt = attempt
    this.#results = results
  }

  /** The processor stops: the handler's signal says so. */
  askToEnd(): void {
    this.#abort.abort()
  }

  /** @param lease of the message */
  async run(lease: EngineLease): Promise<CallEnd> {
    const { engine, topic, group, settings } = this.#parts
    const appends = new HandlerAppends(engine, lineInto(engine))
    const context: FunctionContext = {
      ...{ group: group.name, topic: topic.name, attempt: this.#attempt },
      ...{ signal: this.#abort.signal, data: settings.data, progress: this.#progress },
      ...{ append: appends.append, schedule: appends.schedule },
    }
    try {
      const result = await this.#inTime(this.#handle(context))
      if (this.#results !== undefined) {
        const { value, options } = this.#results.done(this.#message as Message, this.#attempt, result)
        appends.append(this.#results.topic, value, options)
      }
      appends.end()
      if (appends.count === 0) return 'handled'
      if (!(await appends.write(lease))) return 'taken'
      return engine.supports.transactions ? 'acknowledged' : 'handled'
    } catch (error) {
      appends.end()
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  async #handle(context: FunctionContext): Promise<unknown> {
    const { handler } = this.#parts
    if (!tracing.process.start.hasSubscribers) return handler(this.#message, context)
    const { topic, group, attempt } = context
    const call = async () => handler(this.#message, context)
    return tracing.process.tracePromise(call, { topic, group, attempt, batch: [this.#message] })
  }

  readonly #progress = (done: number | string): Promise<void> => {
    const saying = this.#say(done)
    // Whoever awaits it hears of it, and nobody has to.
    saying.catch(() => {})
    return saying
  }

  async #say(done: number | string): Promise<void> {
    if (this.#results === undefined)
      throw new TypeError('context.progress() needs the option results: the topic that it is said in')
    if (typeof done !== 'string' && !Number.isFinite(done))
      throw new TypeError('context.progress() takes a number or a string')
    await this.#results.progress(this.#message as Message, this.#attempt, done)
  }

  /** A function cannot be ended from outside: its signal fires, and it counts as failed. */
  async #inTime(work: Promise<unknown>): Promise<unknown> {
    const { timeoutMs } = this.#parts.settings
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new Error(`the handler has taken more than ${timeoutMs} ms`)
        this.#abort.abort(error)
        reject(error)
      }, timeoutMs)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

function lineInto(engine: Engine): LineIntoLog<EngineLease> {
  const { transactions } = engine
  if (transactions === undefined) return { write: (messages) => writeAll(engine, messages) }
  return {
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
