/**
 * Knows what waits, and delivers what is due; what is said of that is for the {@link Scheduler}.
 *
 * ```
 *   idle --the first use, or the log has some--> loading --all is known--> waiting <--> working
 *     ^                                                                                    |
 *     +-------------------- what waits cannot be read, or not all of it -------------------+        any --close()--> closed
 * ```
 *
 * What is delivered is written in one transaction with the mark, the place in the order up to which all is: so both are there or neither, and whoever opens the log goes
 * on behind the mark. While it is chosen what is due by a time, nothing may take a place up to it ({@link closing}), and what was under way before is waited for: so
 * nothing comes to a place that the mark has passed.
 */
import type { Engine } from '../engine/engine.js'
import type { TransactionParts } from '../engine/terms.js'
import { dueTopic, laterTopic } from '../format/hidden-topics.js'
import { defaultIdWindowMs, maxSleepMs } from '../limits.js'
import { deliver, markNames } from './delivery.js'
import { comparePlaces, type DueEntry, type DuePlace, dueStart, isOutOfTurn } from './due-order.js'
import { UnreadableRun } from './due-run.js'
import { copiedRecord, type DueTime } from './later-record.js'
import { type LaterTopics, PendingEntries, type PendingLimits } from './pending.js'

/** Chosen together. */
const deliveryCount = 2_048
/** The log takes nothing: it is tried again so often. */
const retryMs = 1_000

/** The time, and who wakes by it. */
export interface SchedulerClock {
  /** Ms since the epoch; may jump. */
  now(): number
  /** Calls once, so long from now, with nothing kept alive by it. @returns what cancels */
  wake(ms: number, call: () => void): () => void
}

export interface ClockworkParts {
  readonly engine: Pick<Engine, 'topic' | 'flush'>
  /** At one moment, as durable as a process is. Nothing in it is scheduled. */
  readonly write: (parts: TransactionParts) => Promise<readonly number[]>
  readonly register: (name: string) => Promise<number | undefined>
  readonly clock: SchedulerClock
  /** Something of what is scheduled cannot be read, or not be delivered for now. */
  readonly onError: (error: unknown) => void
  readonly limits?: PendingLimits
}

export class Clockwork {
  readonly topics: LaterTopics
  readonly #parts: ClockworkParts
  #stage: 'idle' | 'loading' | 'waiting' | 'working' | 'closed' = 'idle'
  /** While nothing is known: undefined. */
  #pending: PendingEntries | undefined
  #loading: Promise<void> | undefined
  #work: Promise<void> = Promise.resolve()
  #mark: DuePlace = dueStart
  readonly #since: number
  /** What is due by then is being chosen. */
  #choosing: number = dueStart.order
  readonly #underWay = new Set<Promise<unknown>>()
  #cancelTimer: () => void = () => {}
  #wakesAt = Number.POSITIVE_INFINITY
  /** Not before: the log has taken nothing. */
  #retryAt = Number.NEGATIVE_INFINITY
  /** For so long a message is found by its id. */
  #keepMs = defaultIdWindowMs
  #tidyAt = Number.POSITIVE_INFINITY
  #mayGo: { later: number; due: number } | undefined

  constructor(parts: ClockworkParts) {
    this.#parts = parts
    this.#since = parts.clock.now()
    this.topics = { later: parts.engine.topic(laterTopic), due: parts.engine.topic(dueTopic) }
  }

  /** Goes on with what the log has, in its own time. */
  start(): void {
    this.#known().catch(() => {})
  }

  /** Resolves when what is being delivered is written. */
  async close(): Promise<void> {
    this.#stage = 'closed'
    this.#cancelTimer()
    await this.#loading?.catch(() => {})
    await this.#work
  }

  /** Resolves when all that waits is known. */
  async ready(): Promise<void> {
    if (this.#pending === undefined) await this.#known()
  }

  now(): number {
    return this.#parts.clock.now()
  }

  /** Resolves when what is being delivered now is written, or waits again. */
  async whenDelivered(): Promise<void> {
    await this.#work
  }

  /** True: of what was written before the call nothing is due that is not delivered. */
  isUpToDate(): boolean {
    return this.#stage === 'waiting' && this.#pending !== undefined && this.#pending.nextDue > this.#parts.clock.now()
  }

  /** Nothing may take a place up to that time any more. */
  get closing(): number {
    return Math.max(this.#mark.order, this.#choosing)
  }

  /** Of one that is delivered out of turn: it was, or may be any moment. */
  isOutOfTurnLate({ due, id }: DueEntry): boolean {
    return due <= this.#choosing || this.#pending?.hasOutOfTurn(id) !== true
  }

  /** False: it is delivered, or is just being delivered out of turn. Of one that is not cancelled. */
  isWaiting(entry: DueEntry): boolean {
    if (isOutOfTurn(entry)) return this.#pending?.hasOutOfTurn(entry.id) === true
    return comparePlaces(entry, this.#mark) > 0
  }

  /** All up to there is delivered. */
  get mark(): DuePlace {
    return this.#mark
  }

  /** A message is found by its id for so long at least. */
  keep(windowMs: number): void {
    this.#keepMs = Math.max(this.#keepMs, windowMs)
  }

  /** It is written, at that offset of `.later`. */
  add({ due, order }: DueTime, at: number): void {
    const pending = this.#pending
    // Undefined: it is found where all is read again.
    pending?.add({ due, order, id: at, at, isCancel: false })
    if (due < this.#wakesAt || pending?.isFull === true || pending?.isTailLong === true) this.#arm()
  }

  /** Its cancellation is. */
  addCancel(entry: DueEntry, at: number): void {
    this.#pending?.add({ ...entry, at, isCancel: true })
  }

  /** Whoever chooses waits for it. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    const settle = () => {
      this.#underWay.delete(work)
    }
    work.then(settle, settle)
    return work
  }

  /** Of what is under way now. */
  async #settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay])
  }

  /** Resolves when all that waits is known. */
  async #known(): Promise<void> {
    while (this.#pending === undefined && this.#stage !== 'closed') {
      this.#loading ??= this.#load().finally(() => {
        this.#loading = undefined
      })
      await this.#loading
    }
  }

  async #load(): Promise<void> {
    const { register, limits, onError } = this.#parts
    this.#stage = 'loading'
    try {
      // What is under way is in the log then, and nothing is begun meanwhile.
      await this.#settled()
      const order = await register(markNames.order)
      const id = await register(markNames.id)
      this.#mark = order === undefined || id === undefined ? dueStart : { order, id }
      const pending = await PendingEntries.load(this.topics, this.#mark, onError, limits)
      if (this.#isClosed()) return
      this.#pending = pending
      this.#stage = 'waiting'
      this.#tidyAt = this.#parts.clock.now() + this.#keepMs
      this.#arm()
    } catch (error) {
      if (!this.#isClosed()) {
        onError(error)
        this.#stage = 'idle'
        this.#startLater()
      }
      throw error
    }
  }

  #startLater(): void {
    this.#cancelTimer()
    this.#cancelTimer = this.#parts.clock.wake(retryMs, () => this.start())
  }

  #isClosed(): boolean {
    return this.#stage === 'closed'
  }

  /** The next thing to be done is done in time. A clock that jumps is seen within {@link maxSleepMs}. */
  #arm(): void {
    const pending = this.#pending
    if (this.#stage !== 'waiting' || pending === undefined) return
    this.#cancelTimer()
    const now = this.#parts.clock.now()
    const isPressing = pending.isFull || pending.isTailLong
    const next = Math.min(isPressing ? now : pending.nextDue, this.#tidyAt)
    this.#wakesAt = Math.max(next, this.#retryAt)
    if (this.#wakesAt === Number.POSITIVE_INFINITY) return
    const ms = Math.min(Math.max(this.#wakesAt - now, 0), maxSleepMs)
    this.#cancelTimer = this.#parts.clock.wake(ms, () => {
      if (this.#stage !== 'waiting') return
      this.#stage = 'working'
      this.#work = this.#doDue(pending)
    })
  }

  async #doDue(pending: PendingEntries): Promise<void> {
    const { clock, onError } = this.#parts
    let error: unknown
    try {
      while (pending.nextDue <= clock.now() && !this.#isClosed()) {
        await this.#deliverSome(pending)
        if (pending.isFull) await pending.spill(await this.#settledTo())
      }
      if (pending.isFull) await pending.spill(await this.#settledTo())
      if (pending.isTailLong) await pending.shortenTail(await this.#settledTo())
      if (pending.isWorthCarrying) await pending.carry(this.#mark, (entry) => this.#copy(entry))
      if (this.#tidyAt <= clock.now()) await this.#tidy(pending)
      this.#retryAt = Number.NEGATIVE_INFINITY
    } catch (caught) {
      error = caught
    }
    if (this.#isClosed()) return
    if (pending.isTorn || error instanceof UnreadableRun) {
      onError(error)
      this.#pending = undefined
      this.#stage = 'idle'
      if (error instanceof UnreadableRun) this.start()
      else this.#startLater()
      return
    }
    this.#stage = 'waiting'
    if (error !== undefined) {
      if (this.#retryAt === Number.NEGATIVE_INFINITY) onError(error)
      this.#retryAt = clock.now() + retryMs
    }
    this.#arm()
  }

  /** @throws what writing throws; what was not delivered waits on */
  async #deliverSome(pending: PendingEntries): Promise<void> {
    const { clock, write, onError } = this.#parts
    this.#choosing = clock.now()
    try {
      await this.#settled()
      const due = await pending.take(this.#choosing, deliveryCount)
      const onMark = (mark: DuePlace) => {
        this.#mark = mark
      }
      const onNext = (time: DueTime, at: number) => this.add(time, at)
      const parts = {
        later: this.topics.later,
        write,
        onLost: onError,
        onMark,
        onNext,
        now: () => clock.now(),
        since: this.#since,
        until: this.#choosing,
      }
      const failed = await deliver(parts, due)
      if (failed === undefined) {
        if (this.#tidyAt === Number.POSITIVE_INFINITY) this.#tidyAt = clock.now() + this.#keepMs
        return
      }
      for (const entry of failed.left) pending.add(entry)
      throw failed.error
    } finally {
      this.#choosing = dueStart.order
    }
  }

  /** Everything in `.later` below is known. */
  async #settledTo(): Promise<number> {
    const { next } = await this.topics.later.bounds()
    await this.#settled()
    return next
  }

  async #copy(entry: DueEntry): Promise<number | undefined> {
    const [place] = await this.topics.later.records([entry.at])
    if (place === undefined) return undefined
    const { value, extras } = copiedRecord(place, entry)
    return this.topics.later.append(value, extras, 'process')
  }

  /** What nobody needs goes, but not before it could not be found by its id any more. */
  async #tidy(pending: PendingEntries): Promise<void> {
    const { later, due } = this.topics
    const mayGo = this.#mayGo
    if (mayGo !== undefined) {
      if (mayGo.later > (await later.bounds()).first) await later.trim(mayGo.later)
      if (mayGo.due > (await due.bounds()).first) await due.trim(mayGo.due)
    }
    const lowest = await pending.lowest(await this.#settledTo())
    const isMore = lowest.later > (mayGo?.later ?? 0) || lowest.due > (mayGo?.due ?? 0)
    this.#mayGo = lowest
    this.#tidyAt = isMore ? this.#parts.clock.now() + this.#keepMs : Number.POSITIVE_INFINITY
  }
}
