/** A group of the local engine: its desk, and the feed that all its consumers share. */

import type { OffsetRange } from '../collections/offset-ranges.js'
import type { GroupCommits } from '../dispatcher/groups/group-commits.js'
import { GroupDesk } from '../dispatcher/groups/group-desk.js'
import { GroupFeed } from '../dispatcher/groups/group-feed.js'
import { GroupLedger } from '../dispatcher/groups/group-ledger.js'
import type { GroupRegistry } from '../dispatcher/groups/group-registry.js'
import { GroupSieve } from '../dispatcher/groups/group-sieve.js'
import type { Lease } from '../dispatcher/groups/lease.js'
import { DeskSubscription, type SeatHost } from '../dispatcher/groups/subscription.js'
import type { EngineGroup, EngineProcessor, ProcessSettings, SubscribeOptions } from '../engine/group-seat.js'
import type { Filter, GroupInfo, GroupPosition } from '../engine/terms.js'
import { assert } from '../errors.js'
import { otherFilterError } from '../failures.js'
import type { GroupState } from '../format/group-layout.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { HeaderMatcher, isSameFilter } from '../messages/header-matcher.js'
import type { LocalTopic } from './local-topic.js'
import type { LogEvents } from './log-events.js'
import type { RunningProcessors } from './running-processors.js'

/** What a group needs of its log. */
export interface GroupHost {
  readonly stage: SeatHost
  readonly registry: GroupRegistry
  readonly commits: GroupCommits
  readonly events: Pick<LogEvents, 'skipped'>
  readonly processors: Pick<RunningProcessors, 'start' | 'of'>
  /** Of a follower: how far a group has come that this process has not taken; undefined: there is none. */
  readonly elsewhere: { stateOf(topic: string, name: string): Promise<GroupState | undefined> } | undefined
}

/** What has expired matches nothing. */
const everything: Filter = []

export class LocalGroup implements EngineGroup {
  readonly name: string
  readonly #topic: LocalTopic
  readonly #host: GroupHost
  /** Where other threads ask as well. */
  readonly desk: GroupDesk
  #feed: GroupFeed
  /** Undefined: the group is given every message. */
  #sieve: GroupSieve | undefined
  #passing: Promise<void> | undefined
  /** Of a group that this process has not taken, as it was when somebody looked last. */
  #seen: GroupLedger | undefined

  constructor(topic: LocalTopic, name: string, host: GroupHost) {
    this.name = name
    this.#topic = topic
    this.#host = host
    this.#feed = new GroupFeed(topic, this.#passExpired)
    this.desk = new GroupDesk({
      registry: host.registry,
      commits: host.commits,
      topic: topic.handle,
      name,
      first: () => topic.first(),
      next: () => topic.next(),
      end: () => this.#end(),
      whenNext: (offset, resolve, reject) =>
        this.#sieve?.whenNext(resolve, reject) ?? topic.whenNext(offset, resolve, reject),
      checkOpen: () => host.stage.checkOpen(),
      onSkipped: (skipped, first) => host.events.skipped(topic.name, name, skipped, first),
    })
  }

  /**
   * From now on the group is given what matches, and passes the rest. It is not stored.
   * @throws TypeError if it has another filter here, or is at work without one
   */
  filter(filter: Filter): void {
    const known = this.#sieve?.filter
    if (known !== undefined && isSameFilter(known, filter)) return
    const isAtWork = this.desk.seats.count() > 0 || this.#host.processors.of(this.desk).some(isRunning)
    if (known !== undefined || isAtWork) throw otherFilterError(this.#topic.name, this.name, known)
    const { desk } = this
    this.#sieve = new GroupSieve({
      source: this.#topic,
      matcher: new HeaderMatcher(filter),
      books: () => (desk.needsOpen ? undefined : desk.ledger),
      pass: (generation, ranges) => desk.pass(generation, ranges),
    })
    this.#feed = new GroupFeed(this.#sieve, this.#passExpired)
    this.#host.stage.onClose.add(desk.commitPassed)
  }

  #end(): number {
    return this.#sieve?.next() ?? this.#topic.next()
  }

  async info(): Promise<GroupInfo> {
    const { committed, lag } = await this.position()
    const processors = this.#host.processors.of(this.desk).map(({ state, error }) => ({ state, error }))
    return { topic: this.#topic.name, name: this.name, committed, lag, consumers: this.desk.seats.count(), processors }
  }

  subscribe<D extends object>(
    make: (record: RecordPlace, lease: Lease) => D,
    options: SubscribeOptions,
  ): DeskSubscription<D> {
    return new DeskSubscription(this.#host.stage, this.desk, this.#feed, make, options)
  }

  async position(): Promise<GroupPosition> {
    const { ledger, skipped } = await this.#books()
    await this.#lookThrough(ledger)
    // Behind the wait: what was published and acknowledged meanwhile counts.
    const next = this.#topic.next()
    return { committed: ledger.committed, next, lag: ledger.remaining(next), skipped }
  }

  async seek(to: number): Promise<void> {
    await this.desk.open('first')
    assert(to >= 0 && to <= this.#topic.next(), 'a group is moved within its topic')
    await this.desk.seek(to)
  }

  async remove(): Promise<void> {
    // One that this process has not taken yet is taken first: another process may have it.
    if (!this.desk.exists && (await this.#elsewhere()) !== undefined) await this.desk.open('first')
    const removed = this.desk.remove()
    // Whoever uses it again says what is to be given to it.
    this.#sieve = undefined
    this.#feed = new GroupFeed(this.#topic, this.#passExpired)
    return removed
  }

  async peek(): Promise<number | undefined> {
    const { ledger } = await this.#books()
    await this.#lookThrough(ledger)
    return ledger.peek(this.#end(), performance.now())
  }

  /** What the books say now, for another thread. */
  async view(): Promise<{ offset: number | undefined; committed: number; ranges: readonly OffsetRange[] }> {
    const { ledger } = await this.#books()
    await this.#lookThrough(ledger)
    const { committed, ranges } = ledger
    return { offset: ledger.peek(this.#end(), performance.now()), committed, ranges }
  }

  isDone(offset: number): boolean {
    return this.desk.needsOpen ? this.#seen?.isDone(offset) === true : this.desk.ledger.isDone(offset)
  }

  process(module: string, settings: ProcessSettings): EngineProcessor {
    return this.#host.processors.start(this.#topic, this.desk, module, settings, this.#sieve?.filter)
  }

  /** The group is not behind for what does not match, or has expired: that is looked for before anything is said of it. */
  #lookThrough(ledger: GroupLedger): Promise<void> {
    if (this.#topic.mayExpire) return this.#lookAnew(ledger)
    if (this.#sieve === undefined) return Promise.resolve()
    return this.desk.needsOpen ? this.#lookAnew(ledger) : this.#sieve.lookThrough()
  }

  /** From the beginning: what was looked at, and counted, may count no more. @param ledger for one answer, where the desk has none */
  #lookAnew(ledger: GroupLedger): Promise<void> {
    const { desk } = this
    const sieve = new GroupSieve({
      source: this.#topic,
      matcher: new HeaderMatcher(this.#sieve?.filter ?? everything),
      books: () => (desk.needsOpen ? ledger : desk.ledger),
      pass: (generation, ranges) => {
        if (!desk.needsOpen) desk.pass(generation, ranges)
        else for (const { first, end } of ranges) ledger.pass(first, end)
      },
    })
    return sieve.lookThrough()
  }

  /** Who meets a message that has expired has the group pass the next ones too; all that meet one meanwhile wait for the same look. */
  readonly #passExpired = (): Promise<void> => {
    const { desk } = this
    if (desk.needsOpen) return Promise.resolve()
    this.#passing ??= this.#lookAnew(desk.ledger).finally(() => {
      this.#passing = undefined
    })
    return this.#passing
  }

  /** What there is of it, without making a group, nor taking one that another process has. */
  async #books(): Promise<{ ledger: GroupLedger; skipped: number }> {
    if (this.desk.exists) {
      await this.desk.open('first')
      return this.desk.refreshed()
    }
    const state = await this.#elsewhere()
    const ledger = new GroupLedger(state ?? { committed: 0, ranges: [] })
    ledger.skipBelow(this.#topic.first())
    this.#seen = ledger
    return { ledger, skipped: 0 }
  }

  async #elsewhere(): Promise<GroupState | undefined> {
    return this.#host.elsewhere?.stateOf(this.#topic.name, this.name)
  }
}

function isRunning({ state }: Pick<EngineProcessor, 'state'>): boolean {
  return state === 'running' || state === 'paused'
}
