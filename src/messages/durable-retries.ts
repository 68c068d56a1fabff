/**
 * Another attempt that survives a restart: the message is acknowledged, and scheduled anew for when its pause is over, in one transaction. It then stands behind all
 * others, at another offset, and says in its headers how often it has failed.
 */
import type { PlannedMessage } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import type { Message } from './message.js'
import { retryExtras } from './retried.js'

/** The way into the log. @typeParam H names a message that is held */
export interface RetryLine<H> {
  /** In one transaction with the acknowledgement of the message. */
  reschedule(message: PlannedMessage, held: H): Promise<unknown>
  /** See `EngineSchedules`. */
  isUpToDate(): Promise<boolean>
}

export class DurableRetries<H> {
  readonly #line: RetryLine<H>
  readonly #underWay = new Set<Promise<boolean>>()
  #lastDueMs = Number.NEGATIVE_INFINITY

  constructor(line: RetryLine<H>) {
    this.#line = line
  }

  /**
   * @param attempts that have failed
   * @returns false: there is no room for that, or nothing can be written now; it is held as before
   */
  schedule(message: Message, held: H, attempts: number, inMs: number): Promise<boolean> {
    const scheduling = this.#schedule(message, held, attempts, inMs)
    // Before it is acknowledged: whoever looks then has to see it here.
    this.#underWay.add(scheduling)
    const settle = () => {
      this.#underWay.delete(scheduling)
    }
    scheduling.then(settle, settle)
    return scheduling
  }

  /**
   * Resolves when all is done that is there now: what was acknowledged to come again is not, nor is what comes of that.
   * @param retries as often as one message may come again
   * @param untilDone resolves when all is done that is in the topic at the call
   * @param until resolves when that is over, as far as is looked
   */
  async untilDone(
    retries: number,
    untilDone: () => Promise<void>,
    until: (isOver: () => Promise<boolean>) => Promise<void>,
  ): Promise<void> {
    let deliveredMs = Number.NEGATIVE_INFINITY
    for (let round = 0; round <= retries; round++) {
      await untilDone()
      await Promise.allSettled([...this.#underWay])
      const dueMs = this.#lastDueMs
      if (dueMs <= deliveredMs) return
      await until(async () => performance.now() >= dueMs && (await this.#line.isUpToDate()))
      deliveredMs = dueMs
    }
  }

  async #schedule(message: Message, held: H, attempts: number, inMs: number): Promise<boolean> {
    const { topic, value } = message
    const planned = { topic, value, extras: retryExtras(message, attempts), due: { inMs }, id: undefined }
    try {
      await this.#line.reschedule(planned, held)
      this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + inMs)
      return true
    } catch (error) {
      const code = error instanceof BookendError ? error.code : undefined
      // Done by somebody else meanwhile.
      if (code === 'BOOKEND_CONFLICT') return true
      if (code === 'BOOKEND_TOO_LARGE' || code === 'BOOKEND_NO_SPACE' || code === 'BOOKEND_CLOSED') return false
      throw error
    }
  }
}
