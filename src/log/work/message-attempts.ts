/**
 * What becomes of one message that was taken: it is tried until a call has gone well, or it is stored as a dead letter, or it is given back,
 * since the round ends or since others come first while it waits for its next attempt.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { EngineLease, ProcessSettings } from '../../engine/group-seat.js'
import { BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { StoredMessage } from '../../messages/message.js'
import { retriedOf } from '../../messages/retried.js'
import { backoffAfter, mayRetry } from '../../retry-policy.js'
import { DurableRetries } from './durable-retries.js'
import { type CallEnd, FunctionCall, type FunctionCallParts, UnwrittenError } from './function-call.js'
import { Slots } from './slots.js'
import { storeLetter } from './store-letter.js'

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
  readonly slots: Pick<Slots, 'within'> | undefined
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
  readonly retries: DurableRetries
  readonly #parts: MessageAttemptsParts<T>
  readonly #host: MessageAttemptsHost
  /** Calls that may run at a time; what waits for another attempt takes none. */
  readonly #slots: Pick<Slots, 'within'>
  readonly #calls = new Set<FunctionCall<T>>()

  /** @param concurrency calls that may run at a time */
  constructor(parts: MessageAttemptsParts<T>, host: MessageAttemptsHost, concurrency: number) {
    this.#parts = parts
    this.retries = new DurableRetries(parts.engine, parts.topic)
    this.#host = host
    this.#slots = parts.slots ?? new Slots(concurrency)
  }

  /** The round ends: the signals of the calls under way say so. */
  askToEnd(): void {
    for (const call of this.#calls) call.askToEnd()
  }

  /** Until it is acknowledged, or given back. Never rejects. */
  async settle(taken: TakenMessage): Promise<void> {
    try {
      await this.#handle(taken)
    } catch (error) {
      taken.lease.giveBack(0)
      this.#host.fail(error)
    }
  }

  async #handle({ record, lease }: TakenMessage): Promise<void> {
    const { settings, topic } = this.#parts
    const message = new StoredMessage<Uint8Array>({ topic: topic.name, decode: undefined }, record)
    // A look at the headers for those alone who may have written them.
    const before = settings.durableRetries ? retriedOf(message).attempts : 0
    const signal = this.#host.round()
    for (let attempt = before + lease.attempt, unwritten = 0; !signal.aborted; ) {
      const end = await this.#call(record, lease, attempt, signal)
      if (end === 'taken') break
      if (end === 'handled' || end === 'acknowledged') {
        this.stats.processed += 1
        if (end === 'handled') this.#host.acknowledge(lease)
        else this.#host.onAcknowledged()
        this.retries.settled(message)
        return
      }
      // It was asked to end, and has not done its work: another attempt of its own.
      if (signal.aborted) break
      if (end instanceof UnwrittenError) {
        unwritten += 1
        await pause(backoffAfter({ backoffMs: noSpacePauseMs }, unwritten), signal)
        continue
      }
      this.stats.failed += 1
      if (!mayRetry(settings, attempt)) {
        if (settings.deadLetter === undefined) throw Object.assign(end, { topic: topic.name, offset: record.offset })
        if (!(await this.#giveUp(record, attempt, end, signal))) break
        this.#host.acknowledge(lease)
        this.retries.settled(message)
        return
      }
      const pauseMs = backoffAfter(settings, attempt)
      attempt += 1
      if (settings.durableRetries && (await this.retries.schedule(message, lease, attempt - 1, pauseMs))) return
      if (settings.order === 'none') {
        lease.giveBack(pauseMs)
        return
      }
      await pause(pauseMs, signal)
    }
    lease.giveBack(0)
  }

  #call(record: RecordPlace, lease: EngineLease, attempt: number, signal: AbortSignal): Promise<CallEnd> {
    return this.#slots.within(async () => {
      if (signal.aborted) return new Error('the processor ends')
      const call = new FunctionCall(this.#parts, record, attempt)
      this.#calls.add(call)
      try {
        return await call.run(lease)
      } finally {
        this.#calls.delete(call)
      }
    })
  }

  /** A full disk makes it wait. False: the round has ended before it was stored. */
  async #giveUp(record: RecordPlace, attempts: number, error: Error, signal: AbortSignal): Promise<boolean> {
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await storeLetter(this.#parts, record, attempts, error)
        this.stats.deadLettered += 1
        return true
      } catch (cause) {
        if (!(cause instanceof BookendError) || cause.code !== 'BOOKEND_NO_SPACE') throw cause
        await pause(backoffAfter({ backoffMs: noSpacePauseMs }, tries), signal)
      }
    }
    return false
  }
}

/** Ends early when the round ends. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {})
}
