/**
 * What becomes of messages that could not be handled: another attempt, a dead letter, or the end of the processor.
 *
 * A lane passes such a message when it is stored as a dead letter, and not before.
 */
import type { ProcessOrder } from '../../engine/group-seat.js'
import type { BookendError } from '../../errors.js'
import type { DurableRetries } from '../../messages/durable-retries.js'
import { retriedOf } from '../../messages/retried.js'
import { backoffAfter, mayRetry, type RetryPolicy } from '../../retry-policy.js'
import type { TopicRef } from '../../threads/reader/reader.js'
import { type DeadLetters, messageAt, type RecordSource } from './dead-letters.js'
import { hasCode, isClosed } from './failure-kinds.js'
import type { OutcomeEnd } from './handler-runner.js'
import type { HeldMessages, OwnMessage } from './held-messages.js'
import type { LeasedWindow } from './leased-window.js'
import type { Wakeups } from './wakeups.js'

/** The first pause after something that is nobody's fault. */
const shortPauseMs = 50
/** Threads that die with nothing in hand, one after the other, before the processor gives up. */
const maxLosses = 10

/** Messages that cannot be read, and that the processor goes on behind. */
interface MetDamage {
  first: number
  end: number
  /** Resolves when its dead letter is stored; false: it could not be, as the processor stops. */
  stored: Promise<boolean>
}

export interface FailedMessagesParts {
  readonly topic: string
  readonly policy: RetryPolicy
  readonly order: ProcessOrder
  readonly held: HeldMessages
  /** Undefined: none were asked for, and what cannot be handled ends the processor. */
  readonly deadLetters: DeadLetters | undefined
  /** Undefined: attempts are kept in memory. */
  readonly retries: RetriesFromLog | undefined
  readonly wakeups: Wakeups
  isWorking(): boolean
  onDeadLetter(): void
}

/** Attempts that are kept in the log, of messages that are read there. */
export interface RetriesFromLog {
  readonly durable: DurableRetries<OwnMessage>
  readonly source: RecordSource
  readonly topic: TopicRef
}

/** Where a lane stands: at a message that it has not passed. */
export interface LanePlace {
  readonly window: LeasedWindow
  readonly lane: number
  readonly offset: number
}

export class FailedMessages {
  readonly #parts: FailedMessagesParts
  /** Damage that was met. All lanes meet the same. */
  readonly #damages: MetDamage[] = []
  #losses = 0
  /** Calls whose appends had no room, one after the other. */
  #unwritten = 0

  constructor(parts: FailedMessagesParts) {
    this.#parts = parts
  }

  /** Messages were handled: what counts in a row begins anew. */
  noteProgress(): void {
    this.#losses = 0
    this.#unwritten = 0
  }

  /**
   * Does what the end of a task demands.
   * @param firstAttempt that was to come next for the message at `place`; 0: the usual one
   * @returns the one that comes next now
   * @throws what ends the processor
   */
  async settle(place: LanePlace, end: OutcomeEnd, firstAttempt: number): Promise<number> {
    switch (end.kind) {
      case 'paused':
        return firstAttempt
      case 'unwritten':
        await this.#awaitSpace(place.window)
        return firstAttempt
      case 'failed':
        return this.#settleFailure(place, end.attempt, end.error)
      case 'unreadable':
        await this.#passUnreadable(place, end.to, end.error)
        return 0
      case 'lost':
        await this.#bearLoss(place.window, end.error)
        return firstAttempt
    }
  }

  async #settleFailure(place: LanePlace, attempt: number, error: Error): Promise<number> {
    const { policy, order, held, deadLetters, retries, topic } = this.#parts
    const { window, lane, offset } = place
    // A call that did not come back may have been written all the same: then it has not failed.
    if (await held.isDone(window, offset)) {
      held.pass(window, lane, offset + 1)
      return 0
    }
    if (!mayRetry(policy, attempt)) {
      if (deadLetters === undefined) {
        // A processor started anew begins anew with it.
        window.noteAttempt(offset, 1)
        throw Object.assign(error, { topic, offset })
      }
      const own = { generation: window.lease.generation, offset }
      const store = () => this.#storeMessage(deadLetters, own, attempt, error)
      if (held.isCurrent(window) && (await this.#whileNoSpace(window, store))) held.pass(window, lane, offset + 1)
      return 0
    }
    const pauseMs = backoffAfter(policy, attempt)
    if (order === 'none') {
      const before = retries === undefined ? 0 : await this.#scheduleAnew(retries, place, attempt, pauseMs)
      // The books count on from what it had when it came.
      if (before !== undefined) held.giveBackAlone(window, offset, attempt + 1 - before, pauseMs)
      window.drop()
      return 0
    }
    window.noteAttempt(offset, attempt + 1)
    await this.#pause(window, pauseMs)
    return attempt + 1
  }

  /** Undefined: it is done with here. */
  async #scheduleAnew(
    retries: RetriesFromLog,
    { window, offset }: LanePlace,
    attempt: number,
    pauseMs: number,
  ): Promise<number | undefined> {
    if (!this.#parts.held.isCurrent(window)) return undefined
    try {
      const message = await messageAt(retries.source, retries.topic, offset)
      if (message === undefined) return undefined
      const held = { generation: window.lease.generation, offset }
      return (await retries.durable.schedule(message, held, attempt, pauseMs)) ? undefined : retriedOf(message).attempts
    } catch (error) {
      // It cannot be read any more: that is met when it comes again.
      if (hasCode(error, 'BOOKEND_CORRUPT')) return 0
      throw error
    }
  }

  async #storeMessage(deadLetters: DeadLetters, own: OwnMessage, attempts: number, error: Error): Promise<void> {
    try {
      if (await deadLetters.addMessage(own, attempts, error)) this.#parts.onDeadLetter()
    } catch (cause) {
      // It could be read when it was handled. Now it stands for itself.
      if (!hasCode(cause, 'BOOKEND_CORRUPT')) throw cause
      const { offset } = own
      await deadLetters.addDamage(offset, offset + 1, cause)
      this.#parts.onDeadLetter()
    }
  }

  /** @param to nothing that can be read is known before it */
  async #passUnreadable({ window, lane, offset }: LanePlace, to: number, error: Error): Promise<void> {
    const { held, deadLetters } = this.#parts
    if (hasCode(error, 'BOOKEND_TRIMMED') && error.first !== undefined) return held.pass(window, lane, error.first)
    if (!hasCode(error, 'BOOKEND_CORRUPT')) return this.#bearLoss(window, error)
    if (deadLetters === undefined) throw error
    const known = this.#damages.find((met) => offset >= met.first && offset < met.end)
    const damage = known ?? (await this.#meetDamage(deadLetters, window, offset, error.next ?? to, error))
    if (await damage.stored) held.pass(window, lane, damage.end)
  }

  async #meetDamage(
    deadLetters: DeadLetters,
    window: LeasedWindow,
    first: number,
    to: number,
    error: BookendError,
  ): Promise<MetDamage> {
    // Nothing known behind it that can be read: everything that was there when it was looked for. What is appended meanwhile is not
    // damage. Others may have met its end before we met its beginning.
    const known = this.#damages.filter((met) => met.first > first).map((met) => met.first)
    const end = Math.min(to, ...known)
    const store = async () => {
      await deadLetters.addDamage(first, end, error)
      this.#parts.onDeadLetter()
    }
    const met: MetDamage = { first, end, stored: this.#whileNoSpace(window, store) }
    this.#damages.push(met)
    // Not stored: whoever meets it in a later round has to.
    if (!(await met.stored)) this.#damages.splice(this.#damages.indexOf(met), 1)
    return met
  }

  /** Repeats what a full disk refuses. False: it was not done, as the processor stops or goes on elsewhere. */
  async #whileNoSpace(window: LeasedWindow, store: () => Promise<void>): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await store()
        return true
      } catch (error) {
        if (isClosed(error)) return false
        if (!hasCode(error, 'BOOKEND_NO_SPACE')) throw error
      }
      await this.#pause(window, backoffAfter({ backoffMs: shortPauseMs }, attempt))
      if (this.#isLeft(window)) return false
    }
  }

  /** A thread has died for nothing that is known, or reading has failed for a reason that may pass. */
  async #bearLoss(window: LeasedWindow, error: Error): Promise<void> {
    this.#losses += 1
    if (this.#losses > maxLosses) throw error
    await this.#pause(window, backoffAfter({ backoffMs: shortPauseMs }, this.#losses))
  }

  /** What has no room is appended by another call, when there is some; attempts are for failures of the handler. */
  #awaitSpace(window: LeasedWindow): Promise<void> {
    this.#unwritten += 1
    return this.#pause(window, backoffAfter({ backoffMs: shortPauseMs }, this.#unwritten))
  }

  #pause(window: LeasedWindow, pauseMs: number): Promise<void> {
    return this.#parts.wakeups.until(() => this.#isLeft(window), pauseMs)
  }

  /** Nothing more is begun in it. */
  #isLeft(window: LeasedWindow): boolean {
    return !this.#parts.isWorking() || !this.#parts.held.isCurrent(window)
  }
}
