/**
 * The desk of a group: where its consumers and processors ask for work and report it done. There is one for each group
 * of an open log, whatever number of handles on it the application has made.
 *
 * Who asks is served in the order of asking. The desk sleeps on the topic's next message and on the next redelivery that falls
 * due, and on nothing while nobody asks. No wake-up is lost: after it has begun to wait it looks once more.
 */
import { Fifo } from '../../collections/fifo.js'
import { maxTimerMs } from '../../limits.js'
import type { GroupCommits, StoredGroup } from './group-commits.js'
import { GroupLedger } from './group-ledger.js'
import type { Lease, LeasedRange } from './lease.js'

/** What a desk needs of the log. */
export interface DeskParts {
  readonly commits: GroupCommits
  readonly topic: { readonly id: number; readonly name: string }
  readonly name: string
  /** First readable offset of the topic, and the offset of its next message. */
  first(): number
  next(): number
  /** Calls back once the topic has a message at `offset`, or the log closes; returns what stops waiting. */
  whenNext(offset: number, resolve: () => void, reject: (error: unknown) => void): () => void
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
  /** The group was behind what retention has left: so many messages were never acknowledged. */
  onSkipped(skipped: number, first: number): void
}

/** Somebody who waits. */
interface Request {
  /** Served, rejected or given up: it stands in the row only until its turn comes, or the row is swept. */
  isOver: boolean
  /** Serves the request if there is something for it. */
  serve(): boolean
  reject(error: unknown): void
}

/** Messages that somebody holds, and who wants to have those that follow them. */
export interface Extendable {
  readonly lease: LeasedRange
  /** Where they end by now. */
  readonly end: number
  /** How many more may be added now; 0 or less: no more at all. */
  room(): number
  onExtended(end: number): void
  /** There will be no more. Not called after {@link GroupDesk.extend} was given up. */
  onOver(): void
}

/** For who waits on a group that is removed: there is nothing more to come. */
export class GroupRemovedError extends Error {}

export class GroupDesk {
  /** Called after every acknowledgement, seek, removal and skip. */
  readonly changes = new Set<() => void>()
  readonly #parts: DeskParts
  readonly #requests = new Fifo<Request>()
  #sweepAt = leastSweep
  #ledger: GroupLedger | undefined
  #stored: StoredGroup | undefined
  #opening: Promise<void> | undefined
  #skipped = 0
  #nextGeneration = 0
  #removals = 0
  #cancelWait: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #timerDueMs = Number.POSITIVE_INFINITY

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  get topic(): { readonly id: number; readonly name: string } {
    return this.#parts.topic
  }

  get name(): string {
    return this.#parts.name
  }

  /** The books; only after {@link open}. */
  get ledger(): GroupLedger {
    if (this.#ledger === undefined) throw new Error(`the group "${this.name}" is not open`)
    return this.#ledger
  }

  /** True if the group has state of its own: it was opened, now or in an earlier life. */
  get exists(): boolean {
    return this.#ledger !== undefined || this.#parts.commits.known(this.topic.name, this.name) !== undefined
  }

  /** How often the group was removed: a consumer of before does not go on with the group of after. */
  get removals(): number {
    return this.#removals
  }

  /** False once {@link open} has resolved. */
  get needsOpen(): boolean {
    return this.#ledger === undefined
  }

  /** The books as of now, past what retention has deleted. */
  refreshed(): { ledger: GroupLedger; skipped: number } {
    this.#skipTrimmed(this.ledger)
    return { ledger: this.ledger, skipped: this.#skipped }
  }

  /** Finds the group, or creates it so that it survives. @param from where a new group starts */
  open(from: 'first' | 'next'): Promise<void> {
    if (this.#ledger !== undefined) return Promise.resolve()
    this.#opening ??= this.#open(from).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #open(from: 'first' | 'next'): Promise<void> {
    const { commits, topic, name, first, next } = this.#parts
    const start = () => (from === 'first' ? first() : next())
    this.#stored = commits.known(topic.name, name) ?? (await commits.open(topic.name, name, start))
    this.#ledger = new GroupLedger(this.#stored.state, this.#nextGeneration)
    this.#skipTrimmed(this.#ledger)
  }

  /** Up to `max` messages, at once; undefined: nothing is to be had now. Does not respect who is waiting. */
  take(max: number): Lease | undefined {
    this.#skipTrimmed(this.ledger)
    return this.ledger.take(max, this.#parts.next(), performance.now())
  }

  /**
   * Up to `max` messages, as soon as there are any and everybody who asked before is served.
   * @returns a promise, and what gives the request up: true if it was not served yet
   */
  request(max: number): { lease: Promise<Lease>; cancel(): boolean } {
    let request!: Request
    const lease = new Promise<Lease>((resolve, reject) => {
      request = {
        isOver: false,
        serve: () => {
          if (request.isOver) return true
          const taken = this.take(max)
          if (taken === undefined) return false
          request.isOver = true
          resolve(taken)
          return true
        },
        reject: (error) => {
          request.isOver = true
          reject(error)
        },
      }
    })
    this.#ask(request)
    const cancel = () => {
      const isFirst = !request.isOver
      request.isOver = true
      // Its place in the row is passed over; whoever stands behind it may be served now.
      if (isFirst) this.#serve()
      return isFirst
    }
    return { lease, cancel }
  }

  /**
   * Adds to what somebody holds what is published behind it, each time in its turn among those who ask, until something else
   * comes next or there is no room.
   * @returns what gives it up
   */
  extend(holder: Extendable): () => void {
    const end = () => {
      request.isOver = true
      holder.onOver()
    }
    const request: Request = {
      isOver: false,
      serve: () => {
        if (request.isOver) return true
        this.#skipTrimmed(this.ledger)
        const room = holder.room()
        const { generation } = holder.lease
        const to =
          room > 0 ? this.ledger.extend(generation, holder.end, room, this.#parts.next(), performance.now()) : undefined
        if (to === holder.end) return false
        if (to === undefined) end()
        else {
          holder.onExtended(to)
          // Behind those who have asked meanwhile.
          this.#requests.push(request)
        }
        return true
      },
      reject: end,
    }
    this.#ask(request)
    return () => {
      if (request.isOver) return
      request.isOver = true
      this.#serve()
    }
  }

  /** As {@link take}, unless somebody waits already. */
  takeInTurn(max: number): Lease | undefined {
    return this.#requests.length === 0 ? this.take(max) : undefined
  }

  /**
   * False once the message is acknowledged, whoever did it, or the group was moved or removed: who holds the lease and has not
   * handed the message out yet must not do so any more.
   */
  isWanted(lease: Lease): boolean {
    const ledger = this.#ledger
    return ledger !== undefined && lease.generation === ledger.generation && !ledger.isDone(lease.first)
  }

  /**
   * Resolves once the acknowledgement is as durable as the log promises. Nobody gets these messages again. Means nothing after
   * a seek or a removal.
   */
  acknowledge(lease: Pick<Lease, 'generation'>, first: number, end: number): Promise<void> {
    const ledger = this.#ledger
    if (ledger === undefined || lease.generation !== ledger.generation) return Promise.resolve()
    if (ledger.acknowledge(lease, first, end)) this.#announceChange()
    // Also where it changed nothing: the change before it may not be written yet.
    return this.#commit(ledger)
  }

  /** The messages are for somebody else, as this attempt, in `delayMs` at the earliest. */
  giveBack(lease: Pick<Lease, 'generation'>, first: number, end: number, attempt: number, delayMs: number): void {
    this.#ledger?.giveBack(lease, first, end, attempt, performance.now() + delayMs)
    this.#serve()
  }

  /** Goes on from `to`. What is being worked on is not waited for: its acknowledgements will mean nothing. */
  async seek(to: number): Promise<void> {
    this.ledger.seek(to)
    this.#announceChange()
    const done = this.#commit(this.ledger)
    this.#cancelWait?.()
    this.#cancelWait = undefined
    this.#serve()
    return done
  }

  /** Forgets the group. Who waits is told so. */
  async remove(): Promise<void> {
    const stored = this.#stored ?? this.#parts.commits.known(this.topic.name, this.name)
    this.#removals += 1
    if (this.#ledger !== undefined) this.#nextGeneration = this.#ledger.generation + 1
    this.#ledger = undefined
    this.#stored = undefined
    this.#skipped = 0
    this.reject(new GroupRemovedError(`the group "${this.name}" of topic "${this.topic.name}" was removed`))
    this.#announceChange()
    if (stored !== undefined) await this.#parts.commits.remove(stored)
  }

  /** Ends all waiting. */
  reject(error: unknown): void {
    const requests = this.#requests.drain()
    // Before they hear of it: who asks again at once waits anew.
    this.#stopWaiting()
    for (const request of requests) request.reject(error)
  }

  #commit(ledger: GroupLedger): Promise<void> {
    if (this.#stored === undefined) throw new Error(`the group "${this.name}" is not open`)
    // The books themselves: what goes into the file is what they say when it is handed over.
    return this.#parts.commits.commit(this.#stored, ledger)
  }

  /** Retention does not wait for a group that lags (unless told to): the group goes on where the topic begins now. */
  #skipTrimmed(ledger: GroupLedger): void {
    const first = this.#parts.first()
    if (first <= ledger.committed) return
    const skipped = ledger.skipBelow(first)
    this.#announceChange()
    // Written with the next commit: until then the topic's own beginning says the same.
    if (skipped === 0) return
    this.#skipped += skipped
    this.#parts.onSkipped(skipped, first)
  }

  #announceChange(): void {
    for (const listener of this.changes) listener()
  }

  #ask(request: Request): void {
    // Those who gave up behind somebody who waits for ever would gather: the row is swept each time it has doubled.
    if (this.#requests.length >= this.#sweepAt) {
      this.#requests.keep(({ isOver }) => !isOver)
      this.#sweepAt = Math.max(leastSweep, 2 * this.#requests.length)
    }
    this.#requests.push(request)
    this.#serve()
  }

  /** Serves from the head of the row as far as there is work, then waits for more if somebody is left. */
  readonly #serve = (): void => {
    try {
      while (this.#requests.length > 0) {
        this.#parts.checkOpen()
        if (this.#requests.peek()?.serve() !== true) break
        this.#requests.shift()
      }
    } catch (error) {
      this.reject(error)
    }
    if (this.#requests.length === 0) this.#stopWaiting()
    else this.#wait()
  }

  #wait(): void {
    const ledger = this.#ledger
    if (ledger === undefined) return
    const dueMs = ledger.nextDueMs()
    if (dueMs !== this.#timerDueMs) {
      clearTimeout(this.#timer)
      this.#timerDueMs = dueMs
      // A millisecond more than asked for: timers may fire early.
      if (dueMs < Number.POSITIVE_INFINITY) {
        const delayMs = Math.max(1, Math.ceil(dueMs - performance.now()) + 1)
        this.#timer = setTimeout(this.#onTimer, Math.min(delayMs, maxTimerMs))
      }
    }
    if (this.#cancelWait !== undefined) return
    // Either may be called at once, before there is what cancels it: a wait that is over must not stand here as one that lasts.
    let isOver = false
    const end = () => {
      isOver = true
      this.#cancelWait = undefined
    }
    const wake = () => {
      end()
      queueMicrotask(this.#serve)
    }
    const fail = (error: unknown) => {
      end()
      this.reject(error)
    }
    const cancel = this.#parts.whenNext(ledger.next, wake, fail)
    if (!isOver) this.#cancelWait = cancel
  }

  readonly #onTimer = (): void => {
    this.#timerDueMs = Number.POSITIVE_INFINITY
    this.#serve()
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer)
    this.#timerDueMs = Number.POSITIVE_INFINITY
    this.#cancelWait?.()
    this.#cancelWait = undefined
  }
}

/** A shorter row of requests is not worth sweeping. */
const leastSweep = 64
