/**
 * Delivers what is scheduled: each message once, in the order in which it comes due, whatever crashes.
 *
 * ```
 *   idle --the first use, or the log has some--> loading --all is known--> waiting <--> working
 *                                                   ^                                      |
 *                                                   +------ a run cannot be read ----------+      any --close()--> closed
 * ```
 *
 * What is delivered is written in one transaction with the mark, the place in the order up to which all is: so both are there or neither, and whoever opens the log goes
 * on behind the mark. Invariants:
 *
 * - all that is scheduled or cancelled goes through here. While it is chosen what is due by a time, what is said anew takes a place behind that, and what
 *   was under way before is waited for: so nothing comes to a place that the mark has passed;
 * - a message for a time up to which the mark has come already (the clock was put back, or it is due at once) takes a place behind, and is delivered when it is due,
 *   out of turn, with a cancellation in the same transaction: its place, when the mark comes there, is that of a message that is done;
 * - nothing is cancelled while it may be chosen: the cancellation would tell of a message that is delivered.
 */
import type { Engine } from '../engine/engine.js'
import type { Durability, PlannedMessage, Ticket, TransactionParts } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { dueTopic, laterTopic } from '../format/hidden-topics.js'
import { defaultIdWindowMs, maxSleepMs } from '../limits.js'
import { deliver, markNames } from './delivery.js'
import { type DueEntry, type DuePlace, dueStart, isOutOfTurn } from './due-order.js'
import { UnreadableRun } from './due-run.js'
import {
  cancelRecord,
  copiedRecord,
  type DueTime,
  entryOf,
  type LaterRecord,
  laterRecord,
  repeatKey,
  repeatOf,
} from './later-record.js'
import { type LaterTopics, PendingEntries, type PendingLimits } from './pending.js'

/** Chosen together. */
const deliveryCount = 512
/** The log takes nothing: it is tried again so often. */
const retryMs = 1_000

/** The time, and who wakes by it. */
export interface SchedulerClock {
  /** Ms since the epoch; may jump. */
  now(): number
  /** Calls once, so long from now, with nothing kept alive by it. @returns what cancels */
  wake(ms: number, call: () => void): () => void
}

export interface SchedulerParts {
  readonly engine: Pick<Engine, 'topic' | 'flush'>
  /** At one moment, as durable as a process is. Nothing in it is scheduled. */
  readonly write: (parts: TransactionParts) => Promise<readonly number[]>
  readonly register: (name: string) => Promise<number | undefined>
  readonly clock: SchedulerClock
  /** Something of what is scheduled cannot be read, or not be delivered for now. */
  readonly onError: (error: unknown) => void
  readonly limits?: PendingLimits
}

export class Scheduler {
  readonly #parts: SchedulerParts
  readonly #topics: LaterTopics
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

  constructor(parts: SchedulerParts) {
    this.#parts = parts
    this.#since = parts.clock.now()
    this.#topics = { later: parts.engine.topic(laterTopic), due: parts.engine.topic(dueTopic) }
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

  async schedule(message: PlannedMessage, level: Durability): Promise<Ticket> {
    await this.ready()
    const time = this.#timeOf(message)
    const record = laterRecord(message, time)
    try {
      const ticket = await this.#track(this.#append(record, time))
      await this.#reach(level)
      return ticket
    } catch (error) {
      const first = isConflict(error) ? error.actual : undefined
      if (typeof first !== 'number') throw error
      await this.#reach(level)
      return (await this.#ticketAt(first)) ?? { id: String(first), deliverAt: time.due }
    }
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

  /**
   * Cancels one, and schedules another, at one moment. Both are there, and neither is, if it fails.
   * @param planned undefined: none
   * @returns `late`: the old one may be delivered, and nothing was written
   */
  async replace(
    old: { topic: string; entry: DueEntry; key: Uint8Array } | undefined,
    planned: { due: number; record: (time: DueTime) => LaterRecord } | undefined,
    level: Durability,
  ): Promise<Ticket | 'late' | undefined> {
    await this.ready()
    if (old !== undefined && this.#isLate(old.entry)) return 'late'
    const time = planned && { due: planned.due, order: Math.max(planned.due, this.#closing + 1) }
    const records = [
      ...(old === undefined ? [] : [cancelRecord(old.topic, old.entry, old.key)]),
      ...(planned === undefined || time === undefined ? [] : [planned.record(time)]),
    ]
    const write = async () => {
      const messages = records.map((record) => ({ topic: laterTopic, ...record }))
      const offsets = await this.#parts.write({ messages, registers: [] })
      if (old !== undefined) this.#pending?.add({ ...old.entry, at: offsets[0], isCancel: true })
      const at = offsets[records.length - 1]
      if (time === undefined) return undefined
      this.#add(time, at)
      return { id: String(at), deliverAt: time.due }
    }
    const ticket = await this.#track(write())
    await this.#reach(level)
    return ticket
  }

  /** What a transaction schedules, with all else of it. @param write all that is left to be written */
  async transact(
    { scheduled = [], ...parts }: TransactionParts,
    write: (parts: TransactionParts) => Promise<readonly number[]>,
  ): Promise<readonly number[]> {
    await this.ready()
    const placed = scheduled.map((message) => {
      const time = this.#timeOf(message)
      return { time, record: { topic: laterTopic, ...laterRecord(message, time) } }
    })
    const { length } = parts.messages
    const writeAll = async () => {
      const messages = [...parts.messages, ...placed.map(({ record }) => record)]
      const offsets = await write({ ...parts, messages })
      for (const [index, { time }] of placed.entries()) this.#add(time, offsets[length + index])
      return offsets.slice(0, length)
    }
    try {
      return await this.#track(writeAll())
    } catch (error) {
      if (!isConflict(error) || error.topic !== laterTopic) throw error
      const message = 'a message with one of the ids is scheduled, or was delivered, already, so nothing was written'
      throw new BookendError('BOOKEND_CONFLICT', message)
    }
  }

  async cancel(topic: string, { id: name, deliverAt }: Ticket, level: Durability): Promise<boolean> {
    await this.ready()
    const id = Number(name)
    if (!Number.isSafeInteger(id) || id < 0 || id >= (await this.#topics.later.bounds()).next) return false
    const [place] = await this.#topics.later.records([id])
    const stored = place && entryOf(place)
    // Where it is not there any more it was delivered, or written anew under the same number.
    const isThat = stored?.topic === topic && stored.id === id && !stored.isCancel && stored.due === deliverAt
    if (place !== undefined && !isThat) return false
    const entry = stored ?? { due: deliverAt, order: deliverAt, id }
    // Of what comes again it is all of it that ends.
    const repeat = place && repeatOf(place)
    const key = repeat && repeatKey(topic, repeat.name)
    if (!(await this.#track(this.#cancel(topic, { ...entry, at: id, isCancel: false }, key)))) return false
    await this.#reach(level)
    return true
  }

  /** @returns false: it is too late */
  async #cancel(topic: string, entry: DueEntry, key: Uint8Array | undefined): Promise<boolean> {
    if (this.#isLate(entry)) return false
    const { value, extras } = cancelRecord(topic, entry, key)
    const at = await this.#topics.later.append(value, extras, 'process')
    this.#pending?.add({ ...entry, at, isCancel: true })
    return true
  }

  /** It was delivered, or may be any moment. */
  #isLate(entry: DueEntry): boolean {
    return isOutOfTurn(entry)
      ? entry.due <= this.#choosing || this.#pending?.hasOutOfTurn(entry.id) !== true
      : entry.order <= this.#closing
  }

  /** Nothing may take a place up to that time any more. */
  get #closing(): number {
    return Math.max(this.#mark.order, this.#choosing)
  }

  #timeOf({ due, id }: PlannedMessage): DueTime {
    if (id !== undefined) this.#keepMs = Math.max(this.#keepMs, id.windowMs)
    const at = 'at' in due ? due.at : this.#parts.clock.now() + due.inMs
    return { due: at, order: Math.max(at, this.#closing + 1) }
  }

  async #append({ value, extras, condition }: LaterRecord, time: DueTime): Promise<Ticket> {
    const at = await this.#topics.later.append(value, extras, 'process', condition)
    this.#add(time, at)
    return { id: String(at), deliverAt: time.due }
  }

  #add(time: DueTime, at: number): void {
    const pending = this.#pending
    // Undefined: it is found where all is read again.
    pending?.add({ ...time, id: at, at, isCancel: false })
    if (time.due < this.#wakesAt || pending?.isFull === true || pending?.isTailLong === true) this.#arm()
  }

  async #ticketAt(offset: number): Promise<Ticket | undefined> {
    const [place] = await this.#topics.later.records([offset])
    const entry = place && entryOf(place)
    return entry && { id: String(entry.id), deliverAt: entry.due }
  }

  async #reach(level: Durability): Promise<void> {
    if (level !== 'process') await this.#parts.engine.flush(level)
  }

  /** Whoever chooses waits for it. */
  #track<T>(work: Promise<T>): Promise<T> {
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
      const pending = await PendingEntries.load(this.#topics, this.#mark, onError, limits)
      if (this.#isClosed()) return
      this.#pending = pending
      this.#stage = 'waiting'
      this.#tidyAt = this.#parts.clock.now() + this.#keepMs
      this.#arm()
    } catch (error) {
      if (!this.#isClosed()) {
        onError(error)
        this.#stage = 'idle'
        this.#cancelTimer()
        this.#cancelTimer = this.#parts.clock.wake(retryMs, () => this.start())
      }
      throw error
    }
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
    this.#stage = 'waiting'
    if (error instanceof UnreadableRun) {
      onError(error)
      this.#pending = undefined
      this.start()
      return
    }
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
      const onNext = (time: DueTime, at: number) => this.#add(time, at)
      const parts = {
        later: this.#topics.later,
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
    const { next } = await this.#topics.later.bounds()
    await this.#settled()
    return next
  }

  async #copy(entry: DueEntry): Promise<number | undefined> {
    const [place] = await this.#topics.later.records([entry.at])
    if (place === undefined) return undefined
    const { value, extras } = copiedRecord(place, entry)
    return this.#topics.later.append(value, extras, 'process')
  }

  /** What nobody needs goes, but not before it could not be found by its id any more. */
  async #tidy(pending: PendingEntries): Promise<void> {
    const { later, due } = this.#topics
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

function isConflict(error: unknown): error is BookendError {
  return error instanceof BookendError && error.code === 'BOOKEND_CONFLICT'
}
