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
import { setMaxListeners } from 'node:events'
import type { EngineLease, ProcessorState, Subscription } from '../../engine/group-seat.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { ProcessorEnd } from '../../processor-end.js'
import { assertLeased } from '../answers.js'
import type { Processor } from '../processor-options.js'
import { callUnderWay } from './call-under-way.js'
import { FunctionStage } from './function-stage.js'
import { IdleLook } from './idle-look.js'
import { KeyChains, keyOf } from './key-chains.js'
import { MessageAttempts, type MessageAttemptsParts, type TakenMessage, whileNoSpace } from './message-attempts.js'
import { PassedDamage } from './passed-damage.js'

export interface FunctionProcessorParts<T> extends MessageAttemptsParts<T> {
  /** It has ended. */
  onEnd(): void
}

/** Messages taken and not done, where the order is that of keys: those behind a key that is held up. */
export const maxHeld = 1_000

export class FunctionProcessor<T> implements Processor {
  readonly stats: { processed: number; failed: number; deadLettered: number }
  readonly finished: Promise<void>
  readonly #parts: FunctionProcessorParts<T>
  /** Messages that are worked on side by side. */
  readonly #lanes: number
  readonly #attempts: MessageAttempts<T>
  readonly #acknowledging = new Set<Promise<void>>()
  #lastWrite: Promise<void> | undefined
  readonly #idle = new IdleLook()
  /** Undefined: what cannot be read ends it. */
  readonly #damage: PassedDamage | undefined
  readonly #stage = new FunctionStage()
  readonly #end: ProcessorEnd
  /** Fires when the round ends: nothing new is begun. */
  #round = new AbortController()

  constructor(parts: FunctionProcessorParts<T>) {
    const { settings, group } = parts
    const { deadLetter } = settings
    this.#parts = parts
    this.#damage = deadLetter === undefined ? undefined : new PassedDamage({ ...parts, deadLetter })
    this.#end = new ProcessorEnd(group.name, settings.signal)
    this.#lanes = settings.order === 'topic' ? 1 : (settings.concurrency ?? 1)
    const host = {
      round: () => this.#round.signal,
      acknowledge: (lease: EngineLease) => this.#acknowledge(lease),
      onAcknowledged: () => void this.#idle.look(),
      fail: (error: unknown) => this.#fail(error),
    }
    this.#attempts = new MessageAttempts(parts, host, this.#lanes)
    this.stats = this.#attempts.stats
    this.finished = this.#run()
    // Whoever wants to know asks for it.
    this.finished.catch(() => {})
  }

  get state(): ProcessorState {
    const isResting = this.#stage.is('pausing', 'paused')
    return this.#end.stateAt(this.#stage.is('ended') ? 'stopped' : isResting ? 'paused' : 'running')
  }

  get error(): Error | undefined {
    return this.#end.error
  }

  async pause(): Promise<void> {
    if (this.#stage.is('working')) this.#endRound('pausing')
    if (this.#isAskedWithin()) return
    while (this.#stage.is('pausing', 'stopping')) await this.#stage.change
  }

  resume(): void {
    if (this.#stage.is('pausing', 'paused')) this.#stage.enter('working')
  }

  idle(): Promise<void> {
    const { group, settings, topic } = this.#parts
    const untilDone = async () => {
      const { next } = await topic.bounds()
      await this.#until(async () => (await group.position()).committed >= next)
    }
    return this.#attempts.retries.untilDone(settings.retries, untilDone, (isOver) => this.#until(isOver))
  }

  async #until(isOver: () => Promise<boolean>): Promise<void> {
    if (await isOver()) return
    // Behind the wait: it may have ended meanwhile, and would tell nobody any more.
    if (this.#stage.is('ended')) throw this.#end.reason
    await this.#idle.until(isOver)
  }

  stop(): Promise<void> {
    const ended = this.end()
    return this.#isAskedWithin() ? Promise.resolve() : ended
  }

  /** {@link stop}, which waits for whoever asks. */
  end(): Promise<void> {
    this.#askStop()
    return this.finished.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** By one of its own calls, which would wait for its own end. */
  #isAskedWithin(): boolean {
    return callUnderWay()?.of === this.#parts
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
  #fail(reason: unknown): void {
    const error = this.#end.fail(reason)
    const { engine, topic, group } = this.#parts
    if (error !== undefined) engine.noteProcessorFailure(topic.name, group.name, error)
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
      this.#idle.refuse(this.#end.reason)
    }
    this.#end.throwIfFailed()
  }

  /** One round: ends when nothing is under way any more. */
  async #serve(): Promise<void> {
    const { group, settings } = this.#parts
    this.#round = new AbortController()
    // As many as wait for a message, for their turn or for their next attempt.
    setMaxListeners(0, this.#round.signal)
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
    for (;;) {
      const next = this.#next(seat)
      const taken = next instanceof Promise ? await next : next
      if (taken === undefined) return
      await this.#attempts.settle(taken)
    }
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

  /** Without a promise where a message is at hand. Undefined: the round is over. */
  #next(seat: Subscription<TakenMessage>): TakenMessage | Promise<TakenMessage | undefined> | undefined {
    const { signal } = this.#round
    if (signal.aborted) return undefined
    let asked: TakenMessage | Promise<TakenMessage | undefined>
    try {
      asked = seat.next(Number.POSITIVE_INFINITY, signal)
    } catch (error) {
      asked = Promise.reject(error)
    }
    return asked instanceof Promise ? this.#awaited(seat, asked, signal) : asked
  }

  /** Behind what cannot be read, where that is passed. */
  async #awaited(
    seat: Subscription<TakenMessage>,
    asked: Promise<TakenMessage | undefined>,
    signal: AbortSignal,
  ): Promise<TakenMessage | undefined> {
    try {
      const taken = await asked
      if (!signal.aborted) return taken
      taken?.lease.giveBack(0, taken.lease.attempt)
    } catch (error) {
      if (!signal.aborted) await this.#passDamage(seat, error, signal).catch((reason) => this.#fail(reason))
    }
    return this.#next(seat)
  }

  /** @throws the error, where it is nothing to go on behind */
  async #passDamage(seat: Subscription<TakenMessage>, error: unknown, signal: AbortSignal): Promise<void> {
    const stored = await whileNoSpace(signal, async () => {
      const isStored = await this.#damage?.pass(seat, error)
      if (isStored === undefined) throw error
      return isStored
    })
    if (stored === true) this.stats.deadLettered += 1
  }

  #acknowledge(lease: EngineLease): void {
    let written: Promise<void>
    try {
      written = lease.acknowledge()
    } catch (error) {
      this.#fail(error)
      return
    }
    // Those that one write answers have one promise.
    if (written === this.#lastWrite) return
    this.#lastWrite = written
    const done = written.then(
      () => void this.#idle.look(),
      (error) => this.#fail(error),
    )
    this.#acknowledging.add(done)
    void done.then(() => this.#acknowledging.delete(done))
  }
}
