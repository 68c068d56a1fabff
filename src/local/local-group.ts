/** A group of the local engine: its desk, and the feed that all its consumers share. */

import type { GroupCommits } from '../dispatcher/groups/group-commits.js'
import { GroupDesk } from '../dispatcher/groups/group-desk.js'
import { GroupFeed } from '../dispatcher/groups/group-feed.js'
import type { Lease } from '../dispatcher/groups/lease.js'
import { DeskSubscription, type SeatHost } from '../dispatcher/groups/subscription.js'
import type { EngineGroup, EngineProcessor, ProcessSettings, SubscribeOptions } from '../engine/group-seat.js'
import type { GroupInfo, GroupPosition } from '../engine/terms.js'
import { assert } from '../errors.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import type { LocalTopic } from './local-topic.js'
import type { LogEvents } from './log-events.js'
import type { RunningProcessors } from './running-processors.js'

/** What a group needs of its log. */
export interface GroupHost {
  readonly stage: SeatHost
  readonly commits: GroupCommits
  readonly events: Pick<LogEvents, 'skipped'>
  readonly processors: Pick<RunningProcessors, 'start' | 'of'>
}

export class LocalGroup implements EngineGroup {
  readonly name: string
  readonly #topic: LocalTopic
  readonly #host: GroupHost
  readonly #desk: GroupDesk
  readonly #feed: GroupFeed

  constructor(topic: LocalTopic, name: string, host: GroupHost) {
    this.name = name
    this.#topic = topic
    this.#host = host
    this.#feed = new GroupFeed(topic)
    this.#desk = new GroupDesk({
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
    const processors = this.#host.processors.of(this.#desk).map(({ state, error }) => ({ state, error }))
    return { topic: this.#topic.name, name: this.name, committed, lag, consumers: this.#desk.seats.count(), processors }
  }

  subscribe<D extends object>(
    make: (record: RecordPlace, lease: Lease) => D,
    options: SubscribeOptions,
  ): DeskSubscription<D> {
    return new DeskSubscription(this.#host.stage, this.#desk, this.#feed, make, options)
  }

  async position(): Promise<GroupPosition> {
    if (!this.#desk.exists) {
      const { first, next } = await this.#topic.bounds()
      return { committed: first, next, lag: next - first, skipped: 0 }
    }
    await this.#desk.open('first')
    const { ledger, skipped } = this.#desk.refreshed()
    // Behind the wait: what was published and acknowledged meanwhile counts.
    const next = this.#topic.next()
    return { committed: ledger.committed, next, lag: ledger.remaining(next), skipped }
  }

  async seek(to: number): Promise<void> {
    await this.#desk.open('first')
    assert(to >= 0 && to <= this.#topic.next(), 'a group is moved within its topic')
    await this.#desk.seek(to)
  }

  remove(): Promise<void> {
    return this.#desk.remove()
  }

  async peek(): Promise<number | undefined> {
    const first = this.#topic.first()
    const next = this.#topic.next()
    if (!this.#desk.exists) return first < next ? first : undefined
    await this.#desk.open('first')
    return this.#desk.refreshed().ledger.peek(next, performance.now())
  }

  isDone(offset: number): boolean {
    return !this.#desk.needsOpen && this.#desk.ledger.isDone(offset)
  }

  process(module: string, settings: ProcessSettings): EngineProcessor {
    return this.#host.processors.start(this.#topic, this.#desk, module, settings)
  }
}
