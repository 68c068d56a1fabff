/** A group of the local engine: its desk, and the feed that all its consumers share. */

import type { OffsetRange } from '../collections/offset-ranges.js'
import type { GroupCommits } from '../dispatcher/groups/group-commits.js'
import { GroupDesk } from '../dispatcher/groups/group-desk.js'
import { GroupFeed } from '../dispatcher/groups/group-feed.js'
import { GroupLedger } from '../dispatcher/groups/group-ledger.js'
import type { GroupRegistry } from '../dispatcher/groups/group-registry.js'
import type { Lease } from '../dispatcher/groups/lease.js'
import { DeskSubscription, type SeatHost } from '../dispatcher/groups/subscription.js'
import type { EngineGroup, EngineProcessor, ProcessSettings, SubscribeOptions } from '../engine/group-seat.js'
import type { GroupInfo, GroupPosition } from '../engine/terms.js'
import { assert } from '../errors.js'
import type { GroupState } from '../format/group-layout.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
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

export class LocalGroup implements EngineGroup {
  readonly name: string
  readonly #topic: LocalTopic
  readonly #host: GroupHost
  /** Where other threads ask as well. */
  readonly desk: GroupDesk
  readonly #feed: GroupFeed

  constructor(topic: LocalTopic, name: string, host: GroupHost) {
    this.name = name
    this.#topic = topic
    this.#host = host
    this.#feed = new GroupFeed(topic)
    this.desk = new GroupDesk({
      registry: host.registry,
      commits: host.commits,
      topic: topic.handle,
      name,
      first: () => topic.first(),
      next: () => topic.next(),
      whenNext: (offset, resolve, reject) => topic.whenNext(offset, resolve, reject),
      checkOpen: () => host.stage.checkOpen(),
      onSkipped: (skipped, first) => host.events.skipped(topic.name, name, skipped, first),
    })
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
    return this.desk.remove()
  }

  async peek(): Promise<number | undefined> {
    const { ledger } = await this.#books()
    return ledger.peek(this.#topic.next(), performance.now())
  }

  /** What the books say now, for another thread. */
  async view(): Promise<{ offset: number | undefined; committed: number; ranges: readonly OffsetRange[] }> {
    const { ledger } = await this.#books()
    const { committed, ranges } = ledger
    return { offset: ledger.peek(this.#topic.next(), performance.now()), committed, ranges }
  }

  isDone(offset: number): boolean {
    return !this.desk.needsOpen && this.desk.ledger.isDone(offset)
  }

  process(module: string, settings: ProcessSettings): EngineProcessor {
    return this.#host.processors.start(this.#topic, this.desk, module, settings)
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
    return { ledger, skipped: 0 }
  }

  async #elsewhere(): Promise<GroupState | undefined> {
    return this.#host.elsewhere?.stateOf(this.#topic.name, this.name)
  }
}
