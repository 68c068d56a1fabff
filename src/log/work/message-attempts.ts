/**
 * What becomes of one message that was taken: it is tried until a call has gone well, or it is stored as a dead letter, or it is given back,
 * since the round ends or since others come first while it waits for its next attempt.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Engine } from '../../engine/engine.js'
import type { EngineLease, ProcessSettings } from '../../engine/group-seat.js'
import { BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { DurableRetries, type RetryLine } from '../../messages/durable-retries.js'
import { failedWord } from '../../messages/job-words.js'
import { StoredMessage } from '../../messages/message.js'
import { failedBefore } from '../../messages/retried.js'
import { backoffAfter, mayRetry } from '../../retry-policy.js'
import { CallDeadlines } from './call-deadlines.js'
import { FunctionCall, type FunctionCallParts, UnwrittenError } from './function-call.js'
import { Slots, type Turns } from './slots.js'
import { storeLetter, type UndoneMessage } from './store-letter.js'

/** The first pause after an append that found no room. */
const noSpacePauseMs = 50

/** A message taken. */
export interface TakenMessage {
  readonly record: RecordPlace
  readonly lease: EngineLease
}

export interface MessageAttemptsParts<T> extends FunctionCallParts<T> {
  readonly settings: Omit<ProcessSettings, 'codec'>
  /** In which calls are made; undefined: it has its own. */
  readonly turns: Turns | undefined
}

/** Their processor. */
export interface MessageAttemptsHost {
  /** Of the round under way: fires when it ends. */
  round(): AbortSignal
  /** Its call has gone well and what it appends is written, or it is stored as a dead letter. */
  acknowledge(lease: EngineLease): void
  /** It was acknowledged with what its call appends. */
  onAcknowledged(): void
  /** It failed for the last time, and there is no dead-letter topic; or its dead letter could not be stored. */
  fail(error: unknown): void
}

export class MessageAttempts<T> {
  readonly stats = { processed: 0, failed: 0, deadLettered: 0 }
  readonly retries: DurableRetries<EngineLease>
  readonly #parts: MessageAttemptsParts<T>
  readonly #host: MessageAttemptsHost
  /** Calls that may run at a time; what waits for another attempt takes none. */
  readonly #turns: Turns
  readonly #calls: CallDeadlines<FunctionCall<T>>

  /** @param concurrency calls that may run at a time */
  constructor(parts: MessageAttemptsParts<T>, host: MessageAttemptsHost, concurrency: number) {
    const { engine, settings, turns } = parts
    this.#parts = parts
    this.retries = new DurableRetries(retryLineOf(engine))
    this.#host = host
    this.#calls = new CallDeadlines(settings.timeoutMs)
    this.#turns = turns ?? new Slots(concurrency, 1, settings.limiter).ofRank(0)
  }

  /** The round ends: the signals of the calls under way say so. */
  askToEnd(): void {
    for (const call of this.#calls) call.askToEnd()
  }

  /** Until it is acknowledged, or given back. Never rejects. */
  async settle({ record, lease }: TakenMessage): Promise<void> {
    try {
      const signal = this.#host.round()
      // A look at the headers for those alone who may have written them.
      const before = this.#parts.settings.durableRetries ? failedBefore(record) : 0
      let attempt = before + lease.attempt
      for (let unwritten = 0; !signal.aborted; ) {
        const isTurn = this.#turns.begin(signal)
        if (isTurn === false || (isTurn !== true && !(await isTurn))) break
        const call = new FunctionCall(this.#parts, record, attempt)
        this.#calls.add(call)
        const end = await call.run(lease)
        this.#calls.delete(call)
        this.#turns.end()
        if (end === 'taken') break
        if (end === 'handled' || end === 'acknowledged') {
          this.stats.processed += 1
          this.#settled(lease, end)
          return
        }
        // It was asked to end, and has not done its work: that is no attempt.
        if (signal.aborted) break
        if (end instanceof UnwrittenError) {
          unwritten += 1
          await pause(backoffAfter({ backoffMs: noSpacePauseMs }, unwritten), signal)
          continue
        }
        this.stats.failed += 1
        const next = await this.#next({ record, lease }, attempt, end, signal)
        if (next === 'settled') return
        if (next === 'left') break
        attempt += 1
      }
      lease.giveBack(0, attempt - before)
    } catch (error) {
      lease.giveBack(0)
      this.#host.fail(error)
    }
  }

  /**
   * A call has failed.
   * @returns `again`: its pause is over, and here is where it is tried again; `left`: nothing has become of it
   * @throws the error, where it ends the processor
   */
  async #next(
    { record, lease }: TakenMessage,
    attempt: number,
    error: Error,
    signal: AbortSignal,
  ): Promise<'again' | 'settled' | 'left'> {
    const { settings, topic } = this.#parts
    const message = new StoredMessage<Uint8Array>({ topic: topic.name, decode: undefined }, record)
    const { deadLetter, results } = settings
    if (!mayRetry(settings, attempt)) {
      if (deadLetter === undefined) throw Object.assign(error, { topic: topic.name, offset: record.offset })
      const result = results === undefined ? undefined : { topic: results, ...failedWord(message, attempt, error) }
      const given: UndoneMessage = { message, lease, attempts: attempt, error, deadLetter, result }
      const stored = await whileNoSpace(signal, () => storeLetter(this.#parts, given))
      if (stored === undefined || stored === 'taken') return 'left'
      this.stats.deadLettered += 1
      this.#settled(lease, stored)
      return 'settled'
    }
    const pauseMs = backoffAfter(settings, attempt)
    if (settings.durableRetries && (await this.retries.schedule(message, lease, attempt, pauseMs))) return 'settled'
    if (settings.order === 'none') {
      lease.giveBack(pauseMs)
      return 'settled'
    }
    await pause(pauseMs, signal)
    return 'again'
  }

  #settled(lease: EngineLease, how: 'handled' | 'acknowledged'): void {
    if (how === 'handled') this.#host.acknowledge(lease)
    else this.#host.onAcknowledged()
  }
}

/** Repeats what a full disk refuses. @returns undefined: the round has ended before it was done */
export async function whileNoSpace<R>(signal: AbortSignal, store: () => Promise<R>): Promise<R | undefined> {
  for (let tries = 1; !signal.aborted; tries++) {
    try {
      return await store()
    } catch (cause) {
      if (!(cause instanceof BookendError) || cause.code !== 'BOOKEND_NO_SPACE') throw cause
      await pause(backoffAfter({ backoffMs: noSpacePauseMs }, tries), signal)
    }
  }
  return undefined
}

function retryLineOf({ transactions, schedules, facts }: Engine): RetryLine<EngineLease> {
  return {
    reschedule: async (message, lease) => {
      const parts = { messages: [], registers: [], scheduled: [message] }
      await transactions?.transact(parts, { leases: [lease], commits: [] }, facts.durability)
    },
    isUpToDate: async () => (await schedules?.isUpToDate()) !== false,
  }
}

/** Ends early when the round ends. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {})
}
