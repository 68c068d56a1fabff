/**
 * The lanes of a processor at work: one task after the other takes a lane through a window, and what each of them has done is counted and
 * passed. A window grows only while all its lanes are in it: what is published goes to threads that wait at its end, without a new task.
 */
import type { HandlerViews, ProcessOrder } from '../../engine/group-seat.js'
import type { Filter } from '../../engine/terms.js'
import { assert } from '../../errors.js'
import type { CodecName } from '../../messages/codec.js'
import { HandlerWords } from '../../ring/handler-words.js'
import type { FailedMessages } from './failed-messages.js'
import type { HandlerRunner, Outcome } from './handler-runner.js'
import type { HeldMessages } from './held-messages.js'
import type { LaneTask, LeasedWindow } from './leased-window.js'
import type { PacedLeases } from './paced-leases.js'
import type { WindowSize } from './window-size.js'

/** What a long task has done is acknowledged this often. */
const reportEveryMs = 50

/** What a lane does with messages. */
export interface LaneOptions {
  readonly batchSize: number
  readonly order: ProcessOrder
  readonly views: HandlerViews
  /** Messages that failed are scheduled anew. */
  readonly durableRetries?: boolean | undefined
  /** Of the topic; undefined: handlers get bytes. */
  readonly codec: CodecName | undefined
  /** What the group is given: handlers see nothing else. */
  readonly filter?: Filter | undefined
  /** Topic that is told what becomes of each message. */
  readonly results?: string | undefined
}

export interface LaneWorkParts {
  readonly topic: { readonly id: number; readonly name: string }
  readonly group: string
  readonly module: string
  readonly options: LaneOptions
  readonly lanes: number
  readonly runner: HandlerRunner
  readonly held: HeldMessages
  readonly failed: FailedMessages
  readonly size: WindowSize
  /** Messages that are leased are begun; those that are tried again, again. */
  readonly paced: PacedLeases | undefined
  readonly stats: { processed: number; failed: number }
  isWorking(): boolean
  /** All lanes have left the window. */
  onLeft(window: LeasedWindow): void
}

export class LaneWork {
  readonly #parts: LaneWorkParts
  /** Windows that grow by what is published, and what gives that up. */
  readonly #growing = new Map<LeasedWindow, () => void>()
  #reportedMs = 0

  constructor(parts: LaneWorkParts) {
    this.#parts = parts
  }

  /** A task without messages. @throws `BOOKEND_HANDLER` */
  async loadModule(): Promise<void> {
    const call = { from: 0, lane: 0, lanes: 1, resume: undefined, attempt: 1, generation: 0, firstAttempt: 0 }
    const words = HandlerWords.allocate(0, 0, 0, false)
    await this.#parts.runner.run({ ...this.#task(), batchSize: 1, views: 'copied', ...call }, words)
  }

  /** Takes one lane through a window, as far as it is to go. @throws what ends the processor */
  async walk(window: LeasedWindow, lane: number): Promise<void> {
    const { runner, held, failed, size, paced, options, isWorking, onLeft } = this.#parts
    const { lease } = window
    const { attempt, generation } = lease
    let aloneTo = 0
    let firstAttempt = 0
    /** A call has failed with messages below: these are begun again. */
    let againTo = 0
    /** Those below may be begun. */
    let mayTo = window.end
    let resume: Outcome['resume']
    try {
      while (window.cursor(lane) < window.end && isWorking() && held.isCurrent(window)) {
        const from = window.cursor(lane)
        if (paced !== undefined && from >= mayTo) {
          mayTo = from < againTo ? from + (await paced.begin(againTo - from)) : window.end
          // Meanwhile it may have been asked to stop.
          continue
        }
        const words = HandlerWords.allocate(from, paced === undefined ? window.end : mayTo, aloneTo, window.isOpen)
        const task = { words, handled: 0, failed: 0 }
        const lanes = options.order === 'key' ? this.#parts.lanes : 1
        window.setTask(lane, task)
        const outcome = await runner
          .run(
            {
              ...{ ...this.#task(), from, lane, lanes, resume, attempt, generation, firstAttempt },
              carried: lease.carried?.(from),
            },
            words,
          )
          .finally(() => window.setTask(lane, undefined))
        const { done, end } = outcome
        assert(done >= from && done <= window.end, 'a task does no messages but those it was given')
        size.adapt(outcome.busyMs, done - from)
        this.#count(task, outcome)
        held.pass(window, lane, done)
        aloneTo = outcome.aloneTo
        resume = outcome.resume
        if (outcome.failed > 0) [mayTo, againTo] = [done, Math.max(aloneTo, done + 1)]
        firstAttempt = await failed.settle({ window, lane, offset: done }, end, done === from ? firstAttempt : 0)
        // Others may be free. Messages that have to be handled one by one are not sent round.
        if (options.order === 'none' && end.kind === 'paused' && aloneTo <= window.cursor(lane)) break
      }
    } finally {
      // Whoever leaves would not see what comes.
      this.#stopGrowing(window)
      if (window.leave()) onLeft(window)
    }
  }

  /** Adds to the window what is published from now on, as long as all its lanes are in it and keep up. */
  grow(window: LeasedWindow): void {
    const { held, size } = this.#parts
    if (window.lease.attempt > 1) return
    window.open()
    const stop = held.extend(
      window,
      () => size.room(window.count, window.ahead),
      () => this.#report(window),
      () => {
        this.#growing.delete(window)
        window.close()
      },
    )
    if (window.isOpen) this.#growing.set(window, stop)
  }

  /** No window grows any more: tasks that wait for more end. */
  stopGrowth(): void {
    for (const window of [...this.#growing.keys()]) this.#stopGrowing(window)
  }

  #stopGrowing(window: LeasedWindow): void {
    const stop = this.#growing.get(window)
    this.#growing.delete(window)
    window.close()
    stop?.()
  }

  #task() {
    const { topic, group, module, options } = this.#parts
    const { batchSize, views, codec, filter, results, durableRetries: countsRetries } = options
    const isPaced = this.#parts.paced !== undefined
    // The number may have come since the processor was started.
    const own = { topic: { id: topic.id, name: topic.name }, module, codec, group }
    return { ...own, batchSize, views, filter, results, countsRetries, isPaced }
  }

  /** Acknowledges now and then what tasks have done that go on and on. */
  #report(window: LeasedWindow): void {
    const nowMs = performance.now()
    if (nowMs - this.#reportedMs < reportEveryMs) return
    this.#reportedMs = nowMs
    for (let lane = 0; lane < this.#parts.lanes; lane++) {
      const task = window.task(lane)
      if (task === undefined) continue
      this.#count(task, task.words)
      this.#parts.held.pass(window, lane, task.words.progress)
    }
  }

  /** Adds what a task has done since the last look. */
  #count(task: LaneTask, { handled, failed }: { readonly handled: number; readonly failed: number }): void {
    const { stats } = this.#parts
    if (handled > task.handled) this.#parts.failed.noteProgress()
    stats.processed += handled - task.handled
    stats.failed += failed - task.failed
    task.handled = handled
    task.failed = failed
  }
}
