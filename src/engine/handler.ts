/** What a handler is given: its messages, what it is told beside them, and what it may do. */
import type { Codec } from '../messages/codec.js'
import type { Message } from '../messages/message.js'
import type { MessageBatch } from '../messages/message-batch.js'
import type { Durability } from './terms.js'

/** What goes with an append of a handler. */
export interface HandlerAppendOptions {
  /** Stored with the message; a string is stored as UTF-8. At most 64 KiB. */
  key?: string | Uint8Array
  /** Stored with the message. */
  headers?: Record<string, string>
  /** The message counts for so long, ms from now: see `AppendOptions`. */
  ttlMs?: number
  /** The same as a moment. */
  expiresAt?: Date | number
  /** Overrides the log's durability for this message. */
  durability?: Durability
  /** How the value becomes bytes. Unless said: bytes as they are, a string as `text` does it, anything else as `json` does. */
  codec?: Codec<unknown>
}

/** What goes with a message that a handler schedules: `deliverAt` or `delayMs`, and what goes with an append; its `ttlMs` begins with its delivery. */
export interface HandlerScheduleOptions extends HandlerAppendOptions {
  /** It is delivered at that time, ms since the epoch where it is a number; at once if it is over. */
  deliverAt?: Date | number
  /** It is delivered so many ms after the call has gone well. */
  delayMs?: number
}

/** What a handler is told beside its messages, and what it may do. */
export interface HandlerContext {
  /** Name of the group. */
  readonly group: string
  /** Name of the topic. */
  readonly topic: string
  /** 1 for the first delivery of these messages. */
  readonly attempt: number
  /** Fires when the processor is asked to stop: it waits for this call. */
  readonly signal: AbortSignal
  /** What `process(module, { data })` was given: a copy for each thread, the same for all its calls. */
  readonly data: unknown
  /**
   * A message that follows from these. When the call has gone well it is written in one transaction with the acknowledgement of its messages, as
   * durably as the log promises: it is there if and only if they are done, exactly once. A call that fails appends nothing. Where there are no
   * transactions (`supports.transactions`) it is written before they are acknowledged: at least once.
   *
   * The value is encoded, or copied, before this returns. Several keep their order.
   * @throws TypeError, RangeError for wrong arguments, and once the call is over; `BOOKEND_TOO_LARGE`, also where the call
   *   comes to more than a transaction holds; `BOOKEND_READ_ONLY` in a process that
   *   follows the log of another one
   */
  append(topic: string, value: unknown, options?: HandlerAppendOptions): void
  /**
   * The same for a message that is delivered later: it waits if and only if the messages of the call are done, and is delivered exactly once, see `Topic.schedule`.
   * @throws as {@link append}; `BOOKEND_UNSUPPORTED` where nothing is scheduled (`supports.schedules`)
   */
  schedule(topic: string, value: unknown, options: HandlerScheduleOptions): void
  /**
   * Says how far the call is with a message, in the topic `results` of the processor: at once, and not with the acknowledgement.
   * @param done as a number or a word
   * @param message of the batch; need not be said where there is one
   * @returns once that is appended; need not be awaited
   * @throws TypeError (from the promise) for other values, without the option `results`, and once the call is over; as {@link append}
   */
  progress(done: number | string, message?: Message<unknown>): Promise<void>
}

/**
 * The default export of a process module. `T` is what the codec makes of a value: that of the topic, where it is `json`, `text` or
 * `bytes`, or the one that the module exports as `codec`. What it returns is of no account, but where the processor has a topic of `results`: then it is an
 * array with the result of each message, in their order, or nothing.
 */
export type Handler<T = Uint8Array> = (batch: MessageBatch<T>, context: HandlerContext) => unknown
