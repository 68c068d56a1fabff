/**
 * A processor whose handler is a function of this thread: it takes messages of a group by a seat, as a consumer does, calls the function with
 * one at a time or with several side by side, and acknowledges them.
 *
 * | order | takes | failing message |
 * | --- | --- | --- |
 * | topic | one at a time | holds up everything behind it |
 * | key | up to {@link maxHeld}, one of a key at a time | holds up its key |
 * | none | as many as calls may run | is given back, to come again later, while the others go on |
 *
 * Invariants: a message is acknowledged once, when its call has gone well and what it appends is written, or when it is stored as a dead
 * letter; one that is neither when a round ends is given back. No call is under way between two rounds, nor after the end.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type {
  EngineGroup,
  EngineLease,
  ProcessorState,
  ProcessSettings,
  Subscription,
} from '../../engine/group-seat.js'
import { assert, BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import type { MessageSource } from '../../messages/message.js'
import { backoffAfter, mayRetry } from '../../retry-policy.js'
import { assertLeased } from '../answers.js'
import type { Processor } from '../processor-options.js'
import { FunctionCall, type MessageHandler, UnwrittenError } from './function-call.js'
import { KeyChains, keyOf } from './key-chains.js'
import { Slots } from './slots.js'
import { storeLetter } from './store-letter.js'

export interface FunctionProcessorParts<T> {
  readonly engine: Engine
  readonly topic: EngineTopic
  readonly group: EngineGroup
  readonly source: MessageSource<T>
  readonly handler: MessageHandler<T>
  readonly settings: Omit<ProcessSettings, 'codec'>
  /** It has ended. */
  onEnd(): void
}

/**
 * ```
 * working -> pausing -> paused -> working        any -> stopping -> ended
 * ```
 */
type Stage = 'working' | 'pausing' | 'paused' | 'stopping' | 'ended'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  working: ['pausing', 'stopping'],
  pausing: ['paused', 'working', 'stopping'],
  paused: ['working', 'stopping'],
  stopping: ['ended'],
  ended: [],
}

/** Messages taken and not done, where the order is that of keys: those behind a key that is held up. */
export const maxHeld = 1_000
/** While somebody waits until everything is done: what others have done is looked at so often. */
const idleLookMs = 50
/** The first pause after an append that found no room. */
const noSpacePauseMs = 50

/** A message taken. */
interface TakenMessage {
  readonly record: RecordPlace
  readonly lease: EngineLease
}

interface PendingIdle {
  readonly target: number
  resolve(): void
  reject(error: unknown): void
}

export class FunctionProcessor<T> implements Processor {
  readonly stats = { processed: 0, failed: 0, deadLettered: 0 }
  readonly finished: Promise<void>
  readonly #parts: FunctionProcessorParts<T>
  /** Calls that may run at a time; what waits for another attempt takes none. */
  readonly #slots: Slots
  readonly #calls = new Set<FunctionCall<T>>()
  readonly #acknowledging = new Set<Promise<void>>()
  readonly #idle = new Set<PendingIdle>()
  #stage: Stage = 'working'
  #failure: { readonly error: Error } | undefined
  /** Fires when the round ends: nothing new is begun. */
  #round = new AbortController()
  /** Wakes who waits for another stage. */
  #changed: () => void = () => {}
  #change: Promise<void> = Promise.resolve()

  constructor(parts: FunctionProcessorParts<T>) {
    this.#parts = parts
    this.#slots = new Slots(parts.settings.order === 'topic' ? 1 : (parts.settings.concurrency ?? 1))
    this.#renewChange()
    this.finished = this.#run()
    // Whoever wants to know asks for it.
    this.finished.catch(() => {})
  }

  get state(): ProcessorState {
    if (this.#failure !== undefined) return 'failed'
    if (this.#stage === 'ended') return 'stopped'
    return this.#stage === 'pausing' || this.#stage === 'paused' ? 'paused' : 'running'
  }

  get error(): Error | undefined {
    return this.#failure?.error
  }

  async pause(): Promise<void> {
    if (this.#stage === 'working') this.#endRound('pausing')
    while (this.#stage === 'pausing' || this.#stage === 'stopping') await this.#change
  }

  resume(): void {
    if (this.#stage === 'pausing' || this.#stage === 'paused') this.#enter('working')
  }

  async idle(): Promise<void> {
    const { topic, group } = this.#parts
    const { next: target } = await topic.bounds()
    const { committed } = await group.position()
    if (committed >= target) return
    // Behind the waits: it may have ended meanwhile, and would tell nobody any more.
    if (this.#stage === 'ended') throw this.#failure?.error ?? this.#stoppedError()
    await new Promise<void>((resolve, reject) => {
      this.#idle.add({ target, resolve, reject })
      if (this.#idle.size === 1) void this.#watchIdle()
    })
  }

  stop(): Promise<void> {
    this.#askStop()
    return this.finished.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #askStop(): void {
    if (this.#stage !== 'stopping' && this.#stage !== 'ended') this.#endRound('stopping')
  }

  #enter(next: Stage): void {
    assert(mayFollow[this.#stage].includes(next), `a processor does not go from ${this.#stage} to ${next}`)
    this.#stage = next
    const tell = this.#changed
    this.#renewChange()
    tell()
  }

  #renewChange(): void {
    this.#change = new Promise((resolve) => {
      this.#changed = resolve
    })
  }

  #endRound(next: 'pausing' | 'stopping'): void {
    this.#enter(next)
    this.#round.abort()
    for (const call of this.#calls) call.askToEnd()
  }

  /** No more messages, for this reason. That the log or the group ends is not a failure. */
  #fail(error: unknown): void {
    const isClosed = error instanceof BookendError && error.code === 'BOOKEND_CLOSED'
    if (this.#failure === undefined && !isClosed) {
      this.#failure = { error: error instanceof Error ? error : new Error(String(error)) }
      const { engine, topic, group } = this.#parts
      engine.noteProcessorFailure(topic.name, group.name, this.#failure.error)
    }
    this.#askStop()
  }

  async #run(): Promise<void> {
    // Whoever has asked for it knows it before anything becomes of it.
    await undefined
    const { signal } = this.#parts.settings
    const onAbort = () => this.#askStop()
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted) onAbort()
    // What waits in memory alone keeps no process alive, and a paused processor waits for nobody else.
    const alive = setInterval(() => {}, 2 ** 30)
    try {
      while (this.#stage !== 'stopping') {
        if (this.#stage === 'working') await this.#serve()
        // A round that nobody has ended is over because the group is gone.
        if (this.#stage === 'working' && !this.#round.signal.aborted) this.#endRound('stopping')
        if (this.#stage === 'pausing') this.#enter('paused')
        if (this.#stage === 'paused') await this.#change
      }
    } finally {
      clearInterval(alive)
      signal?.removeEventListener('abort', onAbort)
      this.#enter('ended')
      this.#parts.onEnd()
      for (const { reject } of this.#idle) reject(this.#failure?.error ?? this.#stoppedError())
      this.#idle.clear()
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** One round: ends when nothing is under way any more. */
  async #serve(): Promise<void> {
    const { group, settings } = this.#parts
    this.#round = new AbortController()
    const take = (record: RecordPlace, lease: EngineLease): TakenMessage => {
      assertLeased(record, lease)
      const { bytes, words, frame, offset, timestamp } = record
      return { record: { bytes, words, frame, offset, timestamp }, lease }
    }
    const seat = group.subscribe(take, {
      ...{ from: settings.from, signal: undefined },
      ...{ prefetch: Number.POSITIVE_INFINITY, ackTimeoutMs: Number.POSITIVE_INFINITY },
    })
    try {
      if (settings.order === 'key') await this.#serveKeys(seat)
      else {
        const lanes = settings.order === 'topic' ? 1 : (settings.concurrency ?? 1)
        await Promise.all(Array.from({ length: lanes }, () => this.#serveLane(seat)))
      }
    } finally {
      await Promise.all(this.#acknowledging)
      seat.close()
    }
  }

  async #serveLane(seat: Subscription<TakenMessage>): Promise<void> {
    for (let taken = await this.#next(seat); taken !== undefined; taken = await this.#next(seat))
      await this.#settle(taken)
  }

  /** One taker, and a chain of calls for each key. */
  async #serveKeys(seat: Subscription<TakenMessage>): Promise<void> {
    const chains = new KeyChains()
    for (;;) {
      await chains.below(maxHeld)
      const taken = await this.#next(seat)
      if (taken === undefined) break
      chains.add(keyOf(taken.record), () => this.#settle(taken))
    }
    await chains.below(1)
  }

  /** Undefined: the round is over. */
  async #next(seat: Subscription<TakenMessage>): Promise<TakenMessage | undefined> {
    const { signal } = this.#round
    if (signal.aborted) return undefined
    try {
      const taken = await seat.next(Number.POSITIVE_INFINITY, signal)
      if (taken !== undefined && signal.aborted) {
        taken.lease.giveBack(0)
        return undefined
      }
      return taken
    } catch (error) {
      if (!signal.aborted) this.#fail(error)
      return undefined
    }
  }

  /** Until it is acknowledged, or given back. Never rejects. */
  async #settle(taken: TakenMessage): Promise<void> {
    try {
      await this.#handle(taken)
    } catch (error) {
      taken.lease.giveBack(0)
      this.#fail(error)
    }
  }

  async #handle({ record, lease }: TakenMessage): Promise<void> {
    const { settings, topic } = this.#parts
    const { signal } = this.#round
    for (let attempt = lease.attempt, unwritten = 0; !signal.aborted; ) {
      const error = await this.#call(record, attempt)
      if (error === undefined) {
        this.stats.processed += 1
        this.#acknowledge(lease)
        return
      }
      // It was asked to end, and has not done its work: another attempt of its own.
      if (signal.aborted) break
      if (error instanceof UnwrittenError) {
        unwritten += 1
        await pause(backoffAfter({ backoffMs: noSpacePauseMs }, unwritten), signal)
        continue
      }
      this.stats.failed += 1
      if (!mayRetry(settings, attempt)) {
        if (settings.deadLetter === undefined) throw Object.assign(error, { topic: topic.name, offset: record.offset })
        if (!(await this.#giveUp(record, attempt, error))) break
        this.#acknowledge(lease)
        return
      }
      const pauseMs = backoffAfter(settings, attempt)
      attempt += 1
      if (settings.order === 'none') {
        lease.giveBack(pauseMs)
        return
      }
      await pause(pauseMs, signal)
    }
    lease.giveBack(0)
  }

  /** @returns why it has failed */
  #call(record: RecordPlace, attempt: number): Promise<Error | undefined> {
    return this.#slots.within(async () => {
      if (this.#round.signal.aborted) return new Error('the processor ends')
      const call = new FunctionCall(this.#parts, record, attempt)
      this.#calls.add(call)
      try {
        return await call.run()
      } finally {
        this.#calls.delete(call)
      }
    })
  }

  /** A full disk makes it wait. False: the round has ended before it was stored. */
  async #giveUp(record: RecordPlace, attempts: number, error: Error): Promise<boolean> {
    const { signal } = this.#round
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

  #acknowledge(lease: EngineLease): void {
    const done = (async () => lease.acknowledge())().then(
      () => void this.#settleIdle(),
      (error) => this.#fail(error),
    )
    this.#acknowledging.add(done)
    void done.then(() => this.#acknowledging.delete(done))
  }

  /** Others of the group acknowledge as well, and tell nobody. */
  async #watchIdle(): Promise<void> {
    while (this.#idle.size > 0) {
      await this.#settleIdle()
      await pause(idleLookMs, undefined)
    }
  }

  async #settleIdle(): Promise<void> {
    if (this.#idle.size === 0) return
    const committed = await this.#parts.group.position().then(
      (position) => position.committed,
      () => -1,
    )
    for (const waiting of this.#idle) {
      if (waiting.target > committed) continue
      this.#idle.delete(waiting)
      waiting.resolve()
    }
  }

  #stoppedError(): unknown {
    const { settings, group } = this.#parts
    if (settings.signal?.aborted) return settings.signal.reason
    return new BookendError(
      'BOOKEND_CLOSED',
      `the processor of group "${group.name}" was stopped before everything was done`,
    )
  }
}

/** Ends early when the round ends. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {})
}
