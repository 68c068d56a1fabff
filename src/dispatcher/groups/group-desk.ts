/**
 * The desk of a group: where its consumers and processors ask for work and report it done. There is one for each group
 * of an open log, whatever number of handles on it the application has made.
 *
 * Who asks is served in the order of asking. The desk sleeps on the topic's next message and on the next redelivery that falls
 * due, and on nothing while nobody asks. No wake-up is lost: after it has begun to wait it looks once more.
 */
import { Living } from '../../collections/living.js'
import type { OffsetRange } from '../../collections/offset-ranges.js'
import { assert } from '../../errors.js'
import { type Extendable, ExtensionRequest, MessageRequest } from './desk-requests.js'
import { DeskTransactions, type OpenGroup } from './desk-transactions.js'
import type { GroupCommits } from './group-commits.js'
import type { StoredGroup } from './group-entry.js'
import { GroupLedger } from './group-ledger.js'
import type { GroupRegistry } from './group-registry.js'
import type { Lease } from './lease.js'
import { type Request, RequestRow } from './request-row.js'
import type { AskedLease, SeatDesk } from './seat-desk.js'
import { WorkAlarm } from './work-alarm.js'

/** What a desk needs of the log. */
export interface DeskParts {
  readonly registry: Pick<GroupRegistry, 'known' | 'open' | 'remove'>
  readonly commits: Pick<GroupCommits, 'commit'>
  readonly topic: { readonly id: number; readonly name: string }
  readonly name: string
  /** First readable offset of the topic, and the offset of its next message. */
  first(): number
  next(): number
  /** Behind what may be handed out; undefined: that is {@link next}. */
  end?(): number
  /** Calls back once there may be a message to hand out at `offset` or above, or the log closes; returns what stops waiting. */
  whenNext(offset: number, resolve: () => void, reject: (error: unknown) => void): () => void
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
  /** The group was behind what retention has left: so many messages were never acknowledged. */
  onSkipped(skipped: number, first: number): void
}

/** What was passed is written this late, and no more often, where nothing else is. */
const passedCommitMs = 1_000

/** For who waits on a group that is removed: there is nothing more to come. */
export class GroupRemovedError extends Error {}

/**
 * ```
 * shut -> opening -> open -> shut (removed)      shut -> open: the group is known
 * ```
 */
type Stage =
  | { readonly name: 'shut' }
  /** The group is being created. */
  | { readonly name: 'opening'; readonly done: Promise<void> }
  | ({ readonly name: 'open' } & OpenGroup)

const mayFollow: Readonly<Record<Stage['name'], readonly Stage['name'][]>> = {
  shut: ['opening', 'open'],
  opening: ['open', 'shut'],
  open: ['shut'],
}

export class GroupDesk implements SeatDesk {
  /** Called after every acknowledgement, seek, removal and skip. */
  readonly changes = new Set<() => void>()
  readonly seats = new Living<object>()
  /** Acknowledgements that are written with messages, at one moment. */
  readonly transactions: DeskTransactions
  readonly #parts: DeskParts
  readonly #row: RequestRow
  readonly #alarm: WorkAlarm
  #stage: Stage = { name: 'shut' }
  #skipped = 0
  #nextGeneration = 0
  #removals = 0
  /** Set while something was passed that is not written. */
  #passedCommit: NodeJS.Timeout | undefined

  constructor(parts: DeskParts) {
    this.#parts = parts
    const { topic, name, next } = parts
    this.transactions = new DeskTransactions({
      ...{ topic, name, next },
      openGroup: () => (this.#stage.name === 'open' ? this.#stage : undefined),
      announceChange: () => this.#announceChange(),
    })
    this.#row = new RequestRow(() => parts.checkOpen())
    this.#alarm = new WorkAlarm({
      whenNext: (offset, resolve, reject) => parts.whenNext(offset, resolve, reject),
      onWork: this.#serve,
      onFailure: (error) => this.reject(error),
    })
  }

  /** A desk of that log, and no other one that has a group of the name. */
  isOf(registry: DeskParts['registry']): boolean {
    return this.#parts.registry === registry
  }

  get topic(): { readonly id: number; readonly name: string } {
    return this.#parts.topic
  }

  get name(): string {
    return this.#parts.name
  }

  /** The books; only after {@link open}. */
  get ledger(): GroupLedger {
    assert(this.#stage.name === 'open', 'the books are looked at once the group is open')
    return this.#stage.ledger
  }

  /** True if the group has state of its own: it was opened, now or in an earlier life. */
  get exists(): boolean {
    return this.#stage.name === 'open' || this.#known() !== undefined
  }

  /** How often the group was removed: a consumer of before does not go on with the group of after. */
  get removals(): number {
    return this.#removals
  }

  /** False once {@link open} has resolved. */
  get needsOpen(): boolean {
    return this.#stage.name !== 'open'
  }

  /** The books as of now, past what retention has deleted. */
  refreshed(): { ledger: GroupLedger; skipped: number } {
    this.#skipTrimmed(this.ledger)
    return { ledger: this.ledger, skipped: this.#skipped }
  }

  /** Finds the group, or creates it so that it survives. @param from where a new group starts */
  open(from: 'first' | 'next'): Promise<void> {
    if (this.#stage.name === 'open') return Promise.resolve()
    if (this.#stage.name === 'opening') return this.#stage.done
    const { registry, topic, name, first, next } = this.#parts
    const known = this.#known()
    if (known !== undefined) {
      this.#begin(known)
      return Promise.resolve()
    }
    const start = () => (from === 'first' ? first() : next())
    // Nobody removes it meanwhile: that waits for this.
    const done = registry.open(topic.name, name, start).then(
      (stored) => this.#begin(stored),
      (error) => {
        this.#enter({ name: 'shut' })
        throw error
      },
    )
    this.#enter({ name: 'opening', done })
    return done
  }

  #begin(stored: StoredGroup): void {
    const ledger = new GroupLedger(stored.state, this.#nextGeneration)
    this.#enter({ name: 'open', ledger, stored })
    this.#skipTrimmed(ledger)
  }

  #enter(next: Stage): void {
    const { name } = this.#stage
    assert(mayFollow[name].includes(next.name), `a desk does not go from ${name} to ${next.name}`)
    this.#stage = next
  }

  #known(): StoredGroup | undefined {
    return this.#parts.registry.known(this.topic.name, this.name)
  }

  /** The books, where there are any. */
  #books(): GroupLedger | undefined {
    return this.#stage.name === 'open' ? this.#stage.ledger : undefined
  }

  #end(): number {
    return this.#parts.end?.() ?? this.#parts.next()
  }

  /** Up to `max` messages, at once; undefined: nothing is to be had now. Does not respect who is waiting. */
  take(max: number): Lease | undefined {
    this.#skipTrimmed(this.ledger)
    const { ledger } = this
    // The clock is not looked at for each message where nothing comes again.
    const nowMs = ledger.nextDueMs() === Number.POSITIVE_INFINITY ? 0 : performance.now()
    return ledger.take(max, this.#end(), nowMs)
  }

  /**
   * Up to `max` messages, as soon as there are any and everybody who asked before is served.
   * @returns a promise, and what gives the request up: true if it was not served yet
   */
  request(max: number): AskedLease {
    const request = new MessageRequest(() => this.take(max))
    this.#ask(request)
    return { lease: request.lease, cancel: () => this.#giveUp(request) }
  }

  /**
   * Adds to what somebody holds what is published behind it, each time in its turn among those who ask, until something else
   * comes next or there is no room.
   * @returns what gives it up
   */
  extend(holder: Extendable): () => void {
    const extend = (room: number) => {
      this.#skipTrimmed(this.ledger)
      return this.ledger.extend(holder.lease.generation, holder.end, room, this.#end(), performance.now())
    }
    const request = new ExtensionRequest(holder, extend, (again) => this.#row.add(again))
    this.#ask(request)
    return () => void this.#giveUp(request)
  }

  /** As {@link take}, unless somebody waits already. */
  takeInTurn(max: number): Lease | undefined {
    return this.#row.length === 0 ? this.take(max) : undefined
  }

  /**
   * False once the message is acknowledged, whoever did it, or the group was moved or removed: who holds the lease and has not
   * handed the message out yet must not do so any more.
   */
  isWanted(lease: Lease): boolean {
    const ledger = this.#books()
    return ledger !== undefined && lease.generation === ledger.generation && !ledger.isDone(lease.first)
  }

  /**
   * Resolves once the acknowledgement is as durable as the log promises. Nobody gets these messages again. Means nothing after
   * a seek or a removal.
   */
  acknowledge(lease: Pick<Lease, 'generation'>, first: number, end: number): Promise<void> {
    const ledger = this.#books()
    if (ledger === undefined || lease.generation !== ledger.generation) return Promise.resolve()
    if (ledger.acknowledge(lease, first, end)) this.#announceChange()
    // Also where it changed nothing: the change before it may not be written yet.
    return this.#commit(ledger)
  }

  /** The messages are for somebody else, as this attempt, in `delayMs` at the earliest. */
  giveBack(lease: Pick<Lease, 'generation'>, first: number, end: number, attempt: number, delayMs: number): void {
    this.#books()?.giveBack(lease, first, end, attempt, performance.now() + delayMs)
    this.#serve()
  }

  /** Nobody of the group has to be given these. That is written with what else is, or soon. */
  pass(generation: number, ranges: readonly OffsetRange[]): void {
    const ledger = this.#books()
    if (ledger === undefined || generation !== ledger.generation) return
    for (const { first, end } of ranges) ledger.pass(first, end)
    this.#announceChange()
    this.#passedCommit ??= setTimeout(this.commitPassed, passedCommitMs).unref()
  }

  /** What was passed and is not written is written now. */
  readonly commitPassed = (): void => {
    if (this.#passedCommit === undefined) return
    clearTimeout(this.#passedCommit)
    this.#passedCommit = undefined
    const ledger = this.#books()
    // Nobody waits for it: if it fails, so does the next acknowledgement, and somebody hears of it.
    if (ledger !== undefined) this.#commit(ledger).catch(() => {})
  }

  /** Goes on from `to`. What is being worked on is not waited for: its acknowledgements will mean nothing. */
  async seek(to: number): Promise<void> {
    // It may have been removed while transactions were waited for: then it is made anew, and begins there.
    while (this.needsOpen || this.transactions.isUnderWay)
      await (this.needsOpen ? this.open('first') : this.transactions.over())
    this.ledger.seek(to)
    if (this.#stage.name === 'open') this.#stage.stored.journal.pass()
    this.#announceChange()
    const done = this.#commit(this.ledger)
    this.#alarm.forgetMessage()
    this.#serve()
    return done
  }

  /** Forgets the group. Who waits is told so. */
  async remove(): Promise<void> {
    for (;;) {
      // One that is being made is removed when it is there; that it could not be made is told to who has wanted it.
      if (this.#stage.name === 'opening') await this.#stage.done.catch(() => {})
      else if (this.transactions.isUnderWay) await this.transactions.over()
      else break
    }
    const stage = this.#stage
    const stored = stage.name === 'open' ? stage.stored : this.#known()
    this.#removals += 1
    if (stage.name === 'open') {
      this.#nextGeneration = stage.ledger.generation + 1
      this.#enter({ name: 'shut' })
    }
    this.#skipped = 0
    // Whoever has one is a consumer of a group that is not there any more.
    this.seats.clear()
    this.reject(new GroupRemovedError(`the group "${this.name}" of topic "${this.topic.name}" was removed`))
    this.#announceChange()
    if (stored !== undefined) await this.#parts.registry.remove(stored)
  }

  /** Ends all waiting. */
  reject(error: unknown): void {
    const requests = this.#row.drain()
    // Before they hear of it: who asks again at once waits anew.
    this.#alarm.clear()
    for (const request of requests) request.reject(error)
  }

  #commit(ledger: GroupLedger): Promise<void> {
    assert(this.#stage.name === 'open', 'a group commits once it is open')
    // The books themselves: what goes into the file is what they say when it is handed over.
    return this.#parts.commits.commit(this.#stage.stored, ledger)
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
    this.#row.add(request)
    this.#serve()
  }

  /** Its place in the row is passed over; whoever stands behind it may be served now. False: it is over already. */
  #giveUp(request: Request): boolean {
    if (request.isOver) return false
    request.isOver = true
    this.#serve()
    return true
  }

  /** Serves who waits as far as there is work, then waits for more if somebody is left. */
  readonly #serve = (): void => {
    try {
      this.#row.serve()
    } catch (error) {
      this.reject(error)
    }
    const books = this.#books()
    if (this.#row.length === 0) this.#alarm.clear()
    else if (books !== undefined) this.#alarm.set(books.next, books.nextDueMs())
  }
}
