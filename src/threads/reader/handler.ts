/** What a process module looks like: its function, and what that is given beside the messages. */
import type { MessagePort } from 'node:worker_threads'
import type { OffsetRange } from '../../collections/offset-ranges.js'
import type { EngineFacts, Supports } from '../../engine/engine.js'
import type { HandlerAppendOptions, HandlerContext } from '../../engine/handler.js'

/** Messages that a call of a handler was given, by the books of their group. */
export interface HandledMessages {
  readonly topic: string
  readonly group: string
  readonly generation: number
  readonly ranges: readonly OffsetRange[]
}

/** What one call of a handler appends, and schedules. */
export interface CallAppends {
  readonly append: HandlerContext['append']
  readonly schedule: HandlerContext['schedule']
  /** Appends at once, whatever comes of the call. */
  say(topic: string, value: unknown, options: HandlerAppendOptions): Promise<void>
  /** How many messages there are. */
  readonly count: number
  /**
   * The call has gone well: what it appends is written, where the log has transactions in one with the acknowledgement of its messages.
   * @returns false: others have done them, or the group was moved, and nothing was written
   * @throws (from the promise) what has kept it from being written. Nothing is under way any more
   */
  write(handled: HandledMessages): Promise<boolean>
  /** Nothing more is taken, and what was is not written unless {@link write} comes. */
  end(): void
}

/** What a thread of a processor is told of its handlers. */
export interface HandlerSetting {
  /** As {@link HandlerContext.data}. */
  readonly data: unknown
  /** Of the log that they may append to. */
  readonly facts: EngineFacts
  readonly supports: Supports
}

/** What the handlers of a thread have to work with. */
export interface HandlerMeans {
  readonly data: unknown
  /** For one call. */
  beginAppends(): CallAppends
}

/** What a handler's thread posts to the thread that keeps the books once it wants to append: one end of a channel of its own. */
export interface LineWish {
  readonly lineFor: MessagePort
}
