/**
 * A processor: takes messages of a group from its desk, has them handled in threads of its own, and acknowledges them.
 *
 * | order | takes | failing message |
 * | --- | --- | --- |
 * | topic | one window at a time, one lane | holds up everything behind it until it is done |
 * | key | windows in a row, all lanes walk the same ones, each seeing its own keys | holds up its lane |
 * | none | a window for each lane | is given back, to come again later, while the others go on |
 *
 * Invariants: an offset is acknowledged when every lane has passed it, and once; a lane passes a message when it was handled, or
 * stored as a dead letter, and not before; a window that is left behind unfinished is given back.
 *
 * This file is when it works, and when no more: held-messages.ts is its side of the desk, lane-work.ts what a lane does with a window,
 * failed-messages.ts what becomes of messages that could not be handled.
 */
import type { ProcessorState } from '../../engine/group-seat.js'
import { assert } from '../../errors.js'
import { DurableRetries, type RetryLine } from '../../messages/durable-retries.js'
import type { PaceLimit } from '../../pace.js'
import { ProcessorEnd } from '../../processor-end.js'
import type { RetryPolicy } from '../../retry-policy.js'
import { GroupRemovedError } from '../groups/group-desk.js'
import { type DeadLetterHost, DeadLetters } from './dead-letters.js'
import { FailedMessages } from './failed-messages.js'
import { HandlerRunner, type HandlerThreads } from './handler-runner.js'
import { HeldMessages, type OwnMessage } from './held-messages.js'
import { IdleWaits } from './idle-waits.js'
import { type LaneOptions, LaneWork } from './lane-work.js'
import { LeasedWindow } from './leased-window.js'
import { PacedLeases } from './paced-leases.js'
import { Wakeups } from './wakeups.js'
import { WindowRow } from './window-row.js'
import { maxRowCount, WindowSize } from './window-size.js'
import type { WorkDesk, WorkLease } from './work-desk.js'

/** How to process, complete and checked. */
export interface ProcessorOptions extends RetryPolicy, LaneOptions {
  readonly concurrency: number
  readonly timeoutMs: number
  readonly from: 'first' | 'next'
  readonly signal: AbortSignal | undefined
  readonly limiter?: PaceLimit | undefined
}

/** What a processor needs of its log. */
export interface ProcessorHost extends DeadLetterHost {
  /** Undefined: attempts are kept in memory. */
  readonly retries?: RetryLine<OwnMessage> | undefined
  /** Offset of the topic's next message. */
  next(topic: { readonly id: number; readonly name: string }): number
  readonly threads: HandlerThreads
  readonly deadLetter: { readonly id: number; readonly name: string } | undefined
  /** Something has ended the processor that nobody has asked for. Told once, before {@link GroupProcessor.finished} rejects. */
  onFailure(error: Error): void
}

/**
 * A round is what all lanes do between two pauses: `working` in the middle of one, `pausing`, `resuming` and `stopping` while its lanes end,
 * and what they have done is committed.
 * ```
 * loading -> working -> pausing -> paused -> resuming -> working      pausing <-> resuming
 * any -> stopping -> ended        working -> ended: the group was removed
 * ```
 */
type Stage = 'loading' | 'working' | 'pausing' | 'paused' | 'resuming' | 'stopping' | 'ended'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  loading: ['working', 'pausing', 'stopping', 'ended'],
  working: ['pausing', 'stopping', 'ended'],
  pausing: ['paused', 'resuming', 'stopping'],
  paused: ['resuming', 'stopping', 'ended'],
  resuming: ['working', 'pausing', 'stopping', 'ended'],
  stopping: ['ended'],
  ended: [],
}

/** How often it is looked whether what is scheduled has come. */
const lookMs = 50

export class GroupProcessor implements AsyncDisposable {
  readonly stats = { processed: 0, failed: 0, deadLettered: 0 }
  /** Resolves when the processor has ended because it was asked to; rejects with what ended it otherwise. */
  readonly finished: Promise<void>
  readonly #desk: WorkDesk
  readonly #host: ProcessorHost
  readonly #options: ProcessorOptions
  readonly #lanes: number
  readonly #runner: HandlerRunner
  /** Woken at a stop, a seek, an acknowledgement by others. */
  readonly #wakeups = new Wakeups()
  readonly #size: WindowSize
  readonly #held: HeldMessages
  readonly #work: LaneWork
  readonly #row = new WindowRow(() => this.#nextInRow())
  readonly #idle = new IdleWaits()
  readonly #retries: DurableRetries<OwnMessage> | undefined
  readonly #paced: PacedLeases | undefined
  #stage: Stage = 'loading'
  readonly #end: ProcessorEnd

  constructor(desk: WorkDesk, host: ProcessorHost, module: string, options: ProcessorOptions) {
    const { topic, name: group } = desk
    const { order, concurrency } = options
    this.#desk = desk
    this.#host = host
    this.#options = options
    this.#end = new ProcessorEnd(group, options.signal)
    this.#lanes = order === 'topic' ? 1 : concurrency
    this.#runner = new HandlerRunner(host.threads, options.timeoutMs)
    this.#size = new WindowSize(options.batchSize)
    const wakeups = this.#wakeups
    const isWorking = () => this.#stage === 'working'
    this.#held = new HeldMessages({
      ...{ desk, wakeups, isWorking },
      onAcknowledged: () => this.#settleIdle(),
      onFailure: (error) => this.#fail(error),
    })
    const { deadLetter, retries } = host
    if (retries !== undefined) this.#retries = new DurableRetries(retries)
    const fromLog = this.#retries && { durable: this.#retries, source: host, topic }
    if (options.limiter !== undefined) this.#paced = new PacedLeases(options.limiter, wakeups, isWorking)
    const failed = new FailedMessages({
      ...{ topic: topic.name, policy: options, order, held: this.#held, wakeups, isWorking, retries: fromLog },
      deadLetters: deadLetter && new DeadLetters(host, topic, group, deadLetter, options.results),
      onDeadLetter: () => {
        this.stats.deadLettered += 1
      },
    })
    this.#work = new LaneWork({
      ...{ topic, group, module, options, lanes: this.#lanes, runner: this.#runner },
      ...{ held: this.#held, failed, size: this.#size, paced: this.#paced, stats: this.stats, isWorking },
      onLeft: (window) => this.#leave(window),
    })
    this.finished = this.#run()
    // Whoever wants to know asks for it.
    this.finished.catch(() => {})
  }

  get state(): ProcessorState {
    const isResting = this.#stage === 'pausing' || this.#stage === 'paused'
    return this.#end.stateAt(this.#stage === 'ended' ? 'stopped' : isResting ? 'paused' : 'running')
  }

  get error(): Error | undefined {
    return this.#end.error
  }

  /**
   * Takes no more messages until {@link resume}. What is not handled is given back, for other processors of the group. Resolves
   * when no call of the handler is under way.
   */
  async pause(): Promise<void> {
    if (this.#stage === 'loading' || this.#stage === 'working' || this.#stage === 'resuming') this.#endRound('pausing')
    await this.#wakeups.until(() => this.#stage !== 'pausing' && this.#stage !== 'stopping')
  }

  resume(): void {
    if (this.#stage !== 'pausing' && this.#stage !== 'paused') return
    this.#enter('resuming')
    this.#wakeups.wake()
  }

  /**
   * Resolves when everything that is published now is done: handled, or stored as a dead letter.
   * @param target everything below that offset, instead
   * @throws what ended the processor before that
   */
  idle(target = this.#host.next(this.#desk.topic)): Promise<void> {
    if (this.#retries === undefined) return this.#until(target)
    const { topic } = this.#desk
    return this.#retries.untilDone(
      this.#options.retries,
      () => this.#until(this.#host.next(topic)),
      async (isOver) => {
        while (!(await isOver())) {
          await this.#wakeups.until(() => this.#stage === 'ended', lookMs)
          if (this.#stage === 'ended') throw this.#end.reason
        }
      },
    )
  }

  #until(target: number): Promise<void> {
    const idle = this.#idle.add(target)
    // Tasks that wait for more would be in the way: what they have done is acknowledged when they end.
    this.#work.stopGrowth()
    this.#settleIdle()
    return idle
  }

  /** Ends within one batch. What was handled is acknowledged when this resolves, the rest stays for whoever comes next. */
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
  }

  #endRound(next: 'pausing' | 'stopping'): void {
    this.#enter(next)
    this.#runner.stop()
    this.#wakeups.wake()
  }

  async #run(): Promise<void> {
    const { from, signal, order } = this.#options
    const onAbort = () => this.#askStop()
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted) onAbort()
    this.#desk.changes.add(this.#onChange)
    try {
      // A module that does not load is told at once, not with the first message.
      await Promise.all([this.#held.open(from), this.#work.loadModule()])
      this.#settleIdle()
      const serve = order === 'key' ? (lane: number) => this.#serveRow(lane) : () => this.#serveWindows()
      while (await this.#beginRound()) {
        const lanes = Array.from({ length: this.#lanes }, (_, lane) => serve(lane))
        // Nothing is under way when the processor has ended, so all lanes end before the first failure is told.
        await Promise.all(lanes.map((lane) => lane.catch((error) => this.#fail(error))))
        for (const window of this.#row.clear()) this.#held.giveBack(window)
        await this.#held.written()
        // A round that nobody has ended is over because the group is gone.
        if (this.#stage === 'working') break
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#desk.changes.delete(this.#onChange)
      await this.#host.threads.close()
      this.#enter('ended')
      this.#settleIdle()
      this.#wakeups.wake()
    }
    this.#end.throwIfFailed()
  }

  /** A new round only when all lanes have left the one before: none may be ahead of what another has given back. False: there is none. */
  async #beginRound(): Promise<boolean> {
    for (;;) {
      if (this.#stage === 'pausing') {
        this.#enter('paused')
        this.#wakeups.wake()
      }
      await this.#wakeups.until(() => this.#stage !== 'paused' || !this.#held.isOurs())
      if (this.#stage === 'pausing') continue
      if (this.#stage === 'stopping' || !this.#held.isOurs()) return false
      this.#enter('working')
      this.#runner.resume()
      return true
    }
  }

  /** No more messages, for this reason. That the log or the group ends is not a failure. */
  #fail(reason: unknown): void {
    const error = reason instanceof GroupRemovedError ? undefined : this.#end.fail(reason)
    if (error !== undefined) this.#host.onFailure(error)
    this.#askStop()
  }

  readonly #onChange = (): void => {
    // The change is made, but its commit is handed over only now.
    if (this.#idle.length > 0) queueMicrotask(() => this.#settleIdle())
    this.#wakeups.wake()
  }

  #settleIdle(): void {
    if (this.#idle.length === 0) return
    this.#idle.settle(this.#held.committed, (resolve, reject) => {
      void this.#held.written().then(() => (this.#end.error === undefined ? resolve() : reject(this.#end.error)))
    })
    if (this.#stage === 'ended') this.#idle.refuse(this.#end.reason)
  }

  /** Orders `topic` and `none`: a lane works on windows of its own. */
  async #serveWindows(): Promise<void> {
    for (let lease = await this.#lease(); lease !== undefined; lease = await this.#lease()) {
      const window = new LeasedWindow(lease, 1)
      // Where there is no order the free lanes come first.
      if (this.#lanes === 1) this.#grow(window)
      await this.#work.walk(window, 0)
    }
  }

  /** Order `key`: every lane walks every window. */
  async #serveRow(lane: number): Promise<void> {
    let index = 0
    for (let window = await this.#row.at(index); window !== undefined; window = await this.#row.at(index)) {
      await this.#work.walk(window, lane)
      index += 1
    }
  }

  async #nextInRow(): Promise<LeasedWindow | undefined> {
    await this.#wakeups.until(() => this.#stage !== 'working' || this.#row.count < maxRowCount)
    const lease = await this.#lease()
    if (lease === undefined) return undefined
    const window = new LeasedWindow(lease, this.#lanes)
    this.#grow(window)
    return window
  }

  /** Whoever waits until everything is done would wait for tasks that go on. */
  #grow(window: LeasedWindow): void {
    if (this.#stage === 'working' && this.#idle.length === 0 && this.#paced === undefined) this.#work.grow(window)
  }

  #lease(): Promise<WorkLease | undefined> {
    return this.#paced === undefined ? this.#leaseUpTo(maxRowCount) : this.#paced.take((room) => this.#leaseUpTo(room))
  }

  /** As many messages as a task is likely to get done, and not more than this lane's share of those that are there. */
  #leaseUpTo(room: number): Promise<WorkLease | undefined> {
    const { order, batchSize } = this.#options
    const share = () => Math.ceil(this.#held.remaining(this.#host.next(this.#desk.topic)) / this.#lanes)
    const { count } = this.#size
    const atHand = () => Math.min(room, order === 'none' ? Math.min(count, Math.max(batchSize, share())) : count)
    return this.#held.lease(atHand, Math.min(room, batchSize))
  }

  /** All lanes have left it. */
  #leave(window: LeasedWindow): void {
    this.#held.giveBack(window)
    if (this.#options.order !== 'key') return
    this.#row.leave(window)
    this.#wakeups.wake()
  }
}
