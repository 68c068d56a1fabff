/**
 * The engine in a thread that did not open the log: it appends through a lane of its own and reads with windows of its own. What there is
 * one of in a log (the books of groups, deletion, backups, processors) it asks of the thread that owns it.
 *
 * ```
 *   open --close()--> closing --everything is settled--> closed
 *     |                                                    ^
 *     +-- the owner closes: as close() --------------------+
 *     +-- the owner is gone: nothing can be settled -------+
 * ```
 */
import type { MessagePort } from 'node:worker_threads'
import type { AppendSide } from '../../dispatcher/appends/append-side.js'
import type { Lease } from '../../dispatcher/groups/lease.js'
import type { KeepAlive } from '../../dispatcher/keep-alive.js'
import { TurnPace } from '../../dispatcher/reads/turn-pace.js'
import type { Watch } from '../../dispatcher/watch.js'
import type { Engine, LocalParts } from '../../engine/engine.js'
import type { LogStats } from '../../engine/stats.js'
import type {
  Durability,
  GroupInfo,
  PlannedMessage,
  Repeat,
  Ticket,
  TransactionAcks,
  TransactionAnswer,
  TransactionParts,
} from '../../engine/terms.js'
import { type BookendError, fromPortable } from '../../errors.js'
import { closedError, foreignDelivery } from '../../failures.js'
import { GroupMailboxes } from '../../ring/group-mailboxes.js'
import { hasFeature } from '../../ring/shared-state.js'
import { SlotTable } from '../../ring/slot-table.js'
import { beginStateRead } from '../../ring/state-reads.js'
import { deskAcks } from '../group-transactions.js'
import type { LocalTopic, TopicHost } from '../local-topic.js'
import { figuresOf } from '../log-figures.js'
import { enlist, withdraw } from '../open-logs.js'
import { SegmentTotals } from '../segment-totals.js'
import { ThreadEngine } from '../thread-engine.js'
import { ReadsHere, ReadsInPool } from './attached-reads.js'
import { openOwnLane } from './own-lane.js'
import { OwnReading } from './own-reading.js'
import type { Grant, OwnerParty, ProcessorView } from './protocol.js'
import { RemoteGroup } from './remote-group.js'
import { RemoteProcessors } from './remote-processors.js'

/** Where messages are read: in this thread, or in the reader threads of the owner. */
export type ReadsIn = 'here' | 'pool'

export interface AttachedParts {
  owner: OwnerParty
  keepAlive: KeepAlive
  grant: Grant
  readsIn: ReadsIn
}

type AttachedTopic = LocalTopic<RemoteGroup>

export class AttachedEngine extends ThreadEngine<RemoteGroup> implements Engine {
  readonly local: LocalParts
  readonly #owner: OwnerParty
  readonly #keepAlive: KeepAlive
  readonly #watch: Watch
  readonly #bulk: MessagePort
  protected readonly appends: AppendSide
  readonly #reading: OwnReading | undefined
  readonly #reads: ReadsInPool
  protected readonly figures: () => LogStats
  protected readonly topicHost: TopicHost<RemoteGroup>
  readonly #groups: RemoteGroup[] = []
  readonly #processors: RemoteProcessors

  constructor({ owner, keepAlive, grant, readsIn }: AttachedParts) {
    const { facts, shared, segmentBytes } = grant
    const { state, topics, watch, appends } = openOwnLane(grant, keepAlive, ({ name }, span) =>
      owner.call('recallIds', name, span),
    )
    super(facts, segmentBytes, topics)
    const { stage, events } = this
    const reading = readsIn === 'here' ? new OwnReading(grant) : undefined
    const reads = reading === undefined ? new ReadsInPool(owner) : new ReadsHere(owner, reading)
    const processors = new RemoteProcessors(owner, keepAlive)
    this.#owner = owner
    this.#keepAlive = keepAlive
    this.#watch = watch
    this.#bulk = grant.lane.bulk
    this.appends = appends
    this.#reading = reading
    this.#reads = reads
    this.#processors = processors
    const slots = new SlotTable(shared.slots)
    const segments = new SegmentTotals({ segmentBytes, state, slots, topicName: (id) => topics.nameOf(id) })
    const mailboxes = new GroupMailboxes(shared.groups)
    // Their books are not at hand.
    const groups = () => ({ count: mailboxes.knownCount, commits: state.commitDone.load() })
    this.figures = () =>
      figuresOf({ state, opened: grant, appends, reads, hot: noneHot, groups, segments, events, follower: undefined })
    this.topicHost = {
      ...{
        appends,
        reads,
        recent: undefined,
        hot: undefined,
        pace: new TurnPace(),
        events,
        stage,
        messageBytesLimit: facts.messageBytesLimit,
      },
      mayExpire: () => hasFeature(state, 'expiry'),
      keepState: () => beginStateRead(state, Date.now()),
      limits: {
        trim: (topic, before) => this.#trim(topic, before),
        retain: (topic, retention, isAddition) => owner.tell('retain', topic, retention, isAddition),
      },
      indexes: { want: (topic, index) => owner.tell('index', topic, index) },
      newGroup: (topic, name) => {
        const group = new RemoteGroup(topic, name, { stage, owner, processors, keepAlive })
        this.#groups.push(group)
        return group
      },
    }
    this.local = {
      flushSync: (level) => this.flushSync(level),
      backup: async (target, signal) => {
        stage.checkOpen()
        await this.flush('process')
        return owner.callUntil(signal, 'backup', target)
      },
      port: () => owner.call('port'),
      segments: (limit) => owner.call('segments', limit),
      residency: () => owner.call('residency'),
    }
    enlist(this)
  }

  topicNames(): Promise<string[]> {
    return this.#owner.call('topicNames')
  }

  /** What acknowledges or schedules is written by the thread that keeps the books, behind what this one has handed over. */
  protected async transact(
    parts: TransactionParts,
    { leases, commits }: TransactionAcks,
    level: Durability,
  ): Promise<TransactionAnswer> {
    const { length } = parts.scheduled ?? []
    if (leases.length + commits.length + length === 0) return this.writeAtOnce(parts, level)
    const groupOf = (desk: unknown) => {
      const group = this.#groups.find((each) => each.desk === desk)
      if (group === undefined) throw foreignDelivery()
      return group
    }
    const acks = deskAcks(leases, groupOf)
    const shares = acks.map(({ desk: { topic, name }, generation, ranges }) => ({
      ...{ topic, group: name, generation, ranges },
    }))
    const named = commits.map(({ group, offset }) => {
      const { topic, name } = groupOf((group as RemoteGroup).desk)
      return { topic, group: name, offset }
    })
    for (const group of this.#groups) group.sendAcknowledgements()
    if (this.appends.pendingCount > 0) await this.appends.flush('process')
    const answer = await this.#owner.call('transact', parts, shares, named, level)
    for (const lease of leases as readonly Lease[]) {
      lease.holder?.settled(lease)
      this.#groups.find(({ desk }) => desk === lease.holder?.desk)?.desk.noteDone(lease)
    }
    return answer
  }

  protected schedule(message: PlannedMessage, level: Durability): Promise<Ticket> {
    return this.#owner.call('schedule', ownValue(message), level)
  }

  protected repeat(repeat: Repeat, level: Durability): Promise<Ticket> {
    return this.#owner.call('repeat', ownValue(repeat), level)
  }

  protected endRepeat(topic: string, name: string, level: Durability): Promise<boolean> {
    return this.#owner.call('endRepeat', topic, name, level)
  }

  protected waiting(topic: string, id: string): Promise<Ticket | undefined> {
    return this.#owner.call('waiting', topic, id)
  }

  protected isUpToDate(): Promise<boolean> {
    return this.#owner.call('isUpToDate')
  }

  protected cancelScheduled(topic: string, ticket: Ticket, level: Durability): Promise<boolean> {
    return this.#owner.call('cancelScheduled', topic, ticket, level)
  }

  async groups(): Promise<GroupInfo[]> {
    const infos = await this.#owner.call('groups')
    return infos.map(({ processors, ...info }) => ({
      ...info,
      processors: processors.map(({ state, error }) => ({ state, error: error && fromPortable(error) })),
    }))
  }

  async flush(level: Durability): Promise<void> {
    if (this.facts.isReadOnly) return
    for (const group of this.#groups) group.sendAcknowledgements()
    const groups = this.#groups.length > 0 ? this.#owner.call('flushGroups', level) : undefined
    await Promise.all([this.appends.flush(level), groups])
  }

  /** Detaches this thread, and nobody else. */
  close(): Promise<void> {
    return this.stage.close(() => this.#close())
  }

  /** The owner says that appending has ended. */
  fail(error: BookendError): void {
    this.events.error(error.code, error.message)
    this.#watch.fail(error)
  }

  /** The owner is gone, and its channel with it: what is not settled by now will not be. */
  lose(error: BookendError): void {
    this.#watch.fail(error)
    void this.close().catch(() => {})
  }

  noteProcessor(number: number, view: ProcessorView): void {
    this.#processors.note(number, view)
  }

  /**
   * Order: no new calls; processors end; appends and acknowledgements are settled; scans are ended, and reads under way finish; what is
   * leased and mapped goes back; the owner knows.
   */
  async #close(): Promise<void> {
    const closed = closedError(this.facts.place)
    this.#keepAlive.hold()
    withdraw(this)
    let failure: unknown
    await this.#processors.stop()
    if (!this.facts.isReadOnly) {
      const level = this.appends.pendingCount > 0 ? 'disk' : 'process'
      await this.appends.flush(level).catch((error) => {
        failure = error
      })
    }
    this.stage.tellClosing()
    // Before the wait: a module that does not come back holds up what else the owner's reader threads are asked for.
    this.#reads.endScans(closed)
    await this.#reads.idle()
    for (const group of this.#groups) group.close(closed)
    this.#reading?.close()
    // Behind everything that was said before: when it is answered, the owner has heard all of it.
    await this.#owner.call('detach').catch(() => {
      // It is gone: there is nobody who could miss anything.
      failure = undefined
    })
    this.#owner.end(closed)
    this.#watch.fail(closed)
    this.#bulk.close()
    this.#keepAlive.end()
    if (failure !== undefined) throw failure
  }

  async #trim(topic: AttachedTopic, before: number): Promise<void> {
    this.checkWritable()
    // What this thread has handed over before can be trimmed as well: the owner sees it when it is published.
    if (before > topic.next()) await this.appends.flush('process').catch(() => {})
    await this.#owner.call('trim', topic.name, before)
  }
}

/** A thread that reads for itself waits where the messages are not in memory; nobody else's time is spared by not waiting. */
const noneHot = { answered: 0 }

/** A view would take the memory along that it is a view of. */
function ownValue<M extends Pick<PlannedMessage, 'value'>>(message: M): M {
  const { value } = message
  return typeof value === 'string' ? message : { ...message, value: new Uint8Array(value) }
}
