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
 * Invariants: a message is acknowledged once, with what its call appends in one transaction where the log has them, behind it where not, or when it
 * is stored as a dead letter; one that is neither when a round ends is given back. No call is under way between two rounds, nor after the end.
 */
import type { EngineLease, ProcessorState, Subscription } from '../../engine/group-seat.js'
import { BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { assertLeased } from '../answers.js'
import type { Processor } from '../processor-options.js'
import { FunctionStage } from './function-stage.js'
import { IdleLook } from './idle-look.js'
import { KeyChains, keyOf } from './key-chains.js'
import { MessageAttempts, type MessageAttemptsParts, type TakenMessage } from './message-attempts.js'

export interface FunctionProcessorParts<T> extends MessageAttemptsParts<T> {
  /** It has ended. */
  onEnd(): void
}

/** Messages taken and not done, where the order is that of keys: those behind a key that is held up. */
export const maxHeld = 1_000

export class FunctionProcessor<T> implements Processor {
  readonly stats: Processor['stats']
  readonly finished: Promise<void>
  readonly #parts: FunctionProcessorParts<T>
  /** Messages that are worked on side by side. */
  readonly #lanes: number
  readonly #attempts: MessageAttempts<T>
  readonly #acknowledging = new Set<Promise<void>>()
  readonly #idle: IdleLook
  readonly #stage = new FunctionStage()
  #failure: { readonly error: Error } | undefined
  /** Fires when the round ends: nothing new is begun. */
  #round = new AbortController()

  constructor(parts: FunctionProcessorParts<T>) {
    const { settings, group } = parts
    this.#parts = parts
    this.#lanes = settings.order === 'topic' ? 1 : (settings.concurrency ?? 1)
    const host = {
      round: () => this.#round.signal,
      acknowledge: (lease: EngineLease) => this.#acknowledge(lease),
      onAcknowledged: () => void this.#idle.look(),
      fail: (error: unknown) => this.#fail(error),
    }
    this.#attempts = new MessageAttempts(parts, host, this.#lanes)
    this.stats = this.#attempts.stats
    this.#idle = new IdleLook(group)
    this.finished = this.#run()
    // Whoever wants to know asks for it.
    this.finished.catch(() => {})
  }

  get state(): ProcessorState {
    if (this.#failure !== undefined) return 'failed'
    if (this.#stage.is('ended')) return 'stopped'
    return this.#stage.is('pausing', 'paused') ? 'paused' : 'running'
  }

  get error(): Error | undefined {
    return this.#failure?.error
  }

  async pause(): Promise<void> {
    if (this.#stage.is('working')) this.#endRound('pausing')
    while (this.#stage.is('pausing', 'stopping')) await this.#stage.change
  }

  resume(): void {
    if (this.#stage.is('pausing', 'paused')) this.#stage.enter('working')
  }

  async idle(): Promise<void> {
    const { topic, group } = this.#parts
    const { next: target } = await topic.bounds()
    const { committed } = await group.position()
    if (committed < target) {
      // Behind the waits: it may have ended meanwhile, and would tell nobody any more.
      if (this.#stage.is('ended')) throw this.#failure?.error ?? this.#stoppedError()
      await this.#idle.until(target)
    }
    // What was acknowledged to come again is not done.
    await this.#attempts.retries.allSettled()
  }

  stop(): Promise<void> {
    this.#askStop()
    return this.finished.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #askStop(): void {
    if (!this.#stage.is('stopping', 'ended')) this.#endRound('stopping')
  }

  #endRound(next: 'pausing' | 'stopping'): void {
    this.#stage.enter(next)
    this.#round.abort()
    this.#attempts.askToEnd()
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
      while (!this.#stage.is('stopping')) {
        if (this.#stage.is('working')) await this.#serve()
        // A round that nobody has ended is over because the group is gone.
        if (this.#stage.is('working') && !this.#round.signal.aborted) this.#endRound('stopping')
        if (this.#stage.is('pausing')) this.#stage.enter('paused')
        if (this.#stage.is('paused')) await this.#stage.change
      }
    } finally {
      clearInterval(alive)
      signal?.removeEventListener('abort', onAbort)
      this.#stage.enter('ended')
      this.#parts.onEnd()
      this.#idle.refuse(this.#failure?.error ?? this.#stoppedError())
      this.#attempts.retries.refuse(this.#failure?.error ?? this.#stoppedError())
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
      else await Promise.all(Array.from({ length: this.#lanes }, () => this.#serveLane(seat)))
    } finally {
      await Promise.all(this.#acknowledging)
      seat.close()
    }
  }

  async #serveLane(seat: Subscription<TakenMessage>): Promise<void> {
    for (let taken = await this.#next(seat); taken !== undefined; taken = await this.#next(seat))
      await this.#attempts.settle(taken)
  }

  /** One taker, and a chain of calls for each key. */
  async #serveKeys(seat: Subscription<TakenMessage>): Promise<void> {
    const chains = new KeyChains()
    for (;;) {
      await chains.below(maxHeld)
      const taken = await this.#next(seat)
      if (taken === undefined) break
      chains.add(keyOf(taken.record), () => this.#attempts.settle(taken))
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

  #acknowledge(lease: EngineLease): void {
    const done = (async () => lease.acknowledge())().then(
      () => void this.#idle.look(),
      (error) => this.#fail(error),
    )
    this.#acknowledging.add(done)
    void done.then(() => this.#acknowledging.delete(done))
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
