/** What a process module looks like: its function, and what that is given beside the messages. */
import type { MessagePort } from 'node:worker_threads'
import type { EngineFacts, Supports } from '../../engine/engine.js'
import type { HandlerContext } from '../../engine/handler.js'

/** What one call of a handler appends. */
export interface CallAppends {
  readonly append: HandlerContext['append']
  /**
   * The call has gone well. Resolves when everything is written; undefined: there is nothing.
   * @throws (from the promise) what has kept one of them from being written; the others are then, or may be. Nothing is under way any more
   */
  write(): Promise<void> | undefined
  /** The call has failed: nothing is written. */
  drop(): void
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

/** What a handler's thread posts to the thread that owns the log once it wants to append: one end of a channel of its own. */
export interface LaneWish {
  readonly laneFor: MessagePort
}
