/** One call of a handler function, with one message: what it is given, when it has taken too long, and what it appends. */
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type { EngineGroup, ProcessSettings } from '../../engine/group-seat.js'
import type { HandlerContext } from '../../engine/handler.js'
import type { EncodedMessage } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { type Message, type MessageSource, StoredMessage } from '../../messages/message.js'
import { HandlerAppends } from '../handler-appends.js'

/** A handler in the calling thread: it has handled the message when it has returned, or its promise has resolved. */
export type MessageHandler<T = Uint8Array> = (message: Message<T>, context: HandlerContext) => unknown

/** There was no room for what the call appends: nobody's fault. */
export class UnwrittenError extends Error {}

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
  readonly #abort = new AbortController()

  constructor(parts: FunctionCallParts<T>, record: RecordPlace, attempt: number) {
    this.#parts = parts
    this.#message = new StoredMessage<T>(parts.source, record)
    this.#attempt = attempt
  }

  /** The processor stops: the handler's signal says so. */
  askToEnd(): void {
    this.#abort.abort()
  }

  /** @returns why it has failed; undefined: it has gone well, and what it appends is written */
  async run(): Promise<Error | undefined> {
    const { engine, topic, group, handler, settings } = this.#parts
    const appends = new HandlerAppends(engine, { append: (messages) => writeAll(engine, messages) })
    const context: HandlerContext = {
      ...{ group: group.name, topic: topic.name, attempt: this.#attempt },
      ...{ signal: this.#abort.signal, data: settings.data, append: appends.append },
    }
    try {
      await this.#inTime((async () => handler(this.#message, context))())
      await appends.write()
      return undefined
    } catch (error) {
      appends.drop()
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  /** A function cannot be ended from outside: its signal fires, and it counts as failed. */
  async #inTime(work: Promise<unknown>): Promise<void> {
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
      await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Nothing is under way any more when it rejects. */
async function writeAll(engine: Engine, messages: readonly EncodedMessage[]): Promise<void> {
  const written = await Promise.allSettled(
    messages.map(async ({ topic, value, extras, level }) => engine.topic(topic).append(value, extras, level)),
  )
  for (const each of written) {
    if (each.status === 'fulfilled') continue
    const { reason } = each
    throw reason instanceof BookendError && reason.code === 'BOOKEND_NO_SPACE'
      ? new UnwrittenError(reason.message, { cause: reason })
      : reason
  }
}
