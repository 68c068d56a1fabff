/** A group in a thread that does not keep its books: seats at a desk of this thread's own, everything else asked of the owner. */
import { FilteredSource } from '../../dispatcher/groups/filtered-source.js'
import { GroupFeed } from '../../dispatcher/groups/group-feed.js'
import type { Lease } from '../../dispatcher/groups/lease.js'
import { RemoteDesk } from '../../dispatcher/groups/remote-desk.js'
import { DeskSubscription, type SeatHost } from '../../dispatcher/groups/subscription.js'
import type { KeepAlive } from '../../dispatcher/keep-alive.js'
import type { EngineGroup, EngineProcessor, ProcessSettings, SubscribeOptions } from '../../engine/group-seat.js'
import type { Filter, GroupPosition } from '../../engine/terms.js'
import { otherFilterError } from '../../failures.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { HeaderMatcher, isSameFilter } from '../../messages/header-matcher.js'
import type { LocalTopic } from '../local-topic.js'
import type { BooksView, DeskName, OwnerParty } from './protocol.js'
import type { RemoteProcessors } from './remote-processors.js'

/** What a group needs of its thread's engine. */
export interface RemoteGroupHost {
  readonly stage: SeatHost
  readonly owner: OwnerParty
  readonly processors: Pick<RemoteProcessors, 'start'>
  readonly keepAlive: KeepAlive
}

export class RemoteGroup implements EngineGroup {
  readonly name: string
  readonly #topic: LocalTopic<RemoteGroup>
  readonly #host: RemoteGroupHost
  #feed: GroupFeed
  #filter: Filter | undefined
  readonly desk: RemoteDesk
  #view: BooksView | undefined

  constructor(topic: LocalTopic<RemoteGroup>, name: string, host: RemoteGroupHost) {
    this.name = name
    this.#topic = topic
    this.#host = host
    this.#feed = new GroupFeed(topic, this.#passExpired)
    const { owner, keepAlive } = host
    const named: DeskName = { topic: topic.name, group: name }
    this.desk = new RemoteDesk(
      {
        open: (from) => owner.call('openDesk', named, from, this.#filter),
        ask: (number, max, mayWait, ackTimeoutMs) => owner.tell('ask', named, number, max, mayWait, ackTimeoutMs),
        cancel: (number) => owner.tell('cancel', named, number),
        acknowledge: (generation, ranges) => owner.call('acknowledge', named, generation, ranges),
        giveBack: (range, delayMs) => owner.tell('giveBack', named, range, delayMs),
        seats: (count) => owner.tell('seats', named, count),
      },
      keepAlive,
    )
  }

  get topic(): string {
    return this.#topic.name
  }

  subscribe<D extends object>(
    make: (record: RecordPlace, lease: Lease) => D,
    options: SubscribeOptions,
  ): DeskSubscription<D> {
    return new DeskSubscription(this.#host.stage, this.desk, this.#feed, make, options)
  }

  /** The owner of the books may know another one, or that it is at work without: it says so with the first use. */
  filter(filter: Filter): void {
    const known = this.#filter
    if (known !== undefined && isSameFilter(known, filter)) return
    if (known !== undefined) throw otherFilterError(this.#topic.name, this.name, known)
    this.#filter = filter
    // Before anybody here has a seat, with which the group would be at work. What is wrong is said again with the first use, where it is heard.
    this.#host.owner.call('filter', this.#topic.name, this.name, filter).catch(() => {})
    this.#feed = new GroupFeed(new FilteredSource(this.#topic, new HeaderMatcher(filter)), this.#passExpired)
  }

  async position(): Promise<GroupPosition> {
    this.sendAcknowledgements()
    return this.#host.owner.call('position', this.#topic.name, this.name, this.#filter)
  }

  async seek(to: number): Promise<void> {
    this.sendAcknowledgements()
    this.#view = undefined
    await this.#host.owner.call('seek', this.#topic.name, this.name, to)
  }

  async remove(): Promise<void> {
    this.sendAcknowledgements()
    this.#view = undefined
    await this.#host.owner.call('remove', this.#topic.name, this.name)
    // If it was opened, the owner has told it before the answer.
    this.desk.noteRemoval()
    this.#filter = undefined
    this.#feed = new GroupFeed(this.#topic, this.#passExpired)
  }

  async peek(): Promise<number | undefined> {
    this.sendAcknowledgements()
    this.#view = await this.#host.owner.call('view', this.#topic.name, this.name, this.#filter)
    return this.#view.offset
  }

  /** Whoever keeps the books looks before it says where the group stands. */
  readonly #passExpired = (): Promise<unknown> => this.position()

  /** By this thread, or as of the last {@link peek}. */
  isDone(offset: number): boolean {
    if (this.desk.isDone(offset)) return true
    const { committed = 0, ranges = [] } = this.#view ?? {}
    return offset < committed || ranges.some(({ first, end }) => offset >= first && offset < end)
  }

  process(module: string, settings: ProcessSettings): EngineProcessor {
    return this.#host.processors.start(this.#topic.name, this.name, module, settings, this.#filter)
  }

  /** What is in stock goes back; who waits gets `error`. */
  close(error: Error): void {
    this.desk.close(error)
  }

  /** Before anything is asked whose answer they may change. */
  sendAcknowledgements(): void {
    this.desk.sendAcknowledgements()
  }
}
