/** The engine inside this process: the worker threads of one open log, wired to the dispatcher. */
import { AppendSide } from '../dispatcher/appends/append-side.js'
import type { GroupOutcome } from '../dispatcher/appends/group-outcome.js'
import { GroupCommits } from '../dispatcher/groups/group-commits.js'
import { type GroupControl, GroupRegistry } from '../dispatcher/groups/group-registry.js'
import { JournalKeeper } from '../dispatcher/groups/journal-keeper.js'
import { KeepAlive } from '../dispatcher/keep-alive.js'
import { HotReads } from '../dispatcher/reads/hot-reads.js'
import { ReadSide } from '../dispatcher/reads/read-side.js'
import { RecentMessages } from '../dispatcher/reads/recent-messages.js'
import { TurnPace } from '../dispatcher/reads/turn-pace.js'
import { TopicDirectory } from '../dispatcher/topic-directory.js'
import { Watch } from '../dispatcher/watch.js'
import type { Engine, LocalParts } from '../engine/engine.js'
import type { LogStats } from '../engine/stats.js'
import type {
  Durability,
  GroupInfo,
  IdSpan,
  PlannedMessage,
  Repeat,
  Ticket,
  TransactionAcks,
  TransactionAnswer,
  TransactionParts,
} from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { laterTopic } from '../format/hidden-topics.js'
import { RingMemory } from '../ring/append-ring.js'
import { BatchTimes } from '../ring/batch-times.js'
import { GroupMailboxes } from '../ring/group-mailboxes.js'
import { hasFeature } from '../ring/shared-state.js'
import { beginStateRead } from '../ring/state-reads.js'
import { TopicCells } from '../ring/topic-cells.js'
import { transfer } from '../threads/control-plane.js'
import type { OpenedLog } from '../threads/protocol.js'
import type { ReaderData } from '../threads/shared-memory.js'
import { Attachments } from './attached/attachments.js'
import type { FollowerThread } from './follower/follower-thread.js'
import { type AckShare, type CommitShare, GroupTransactions } from './group-transactions.js'
import { HandlerWrites } from './handler-writes.js'
import { IdRecalls } from './id-recalls.js'
import { Lanes } from './lanes.js'
import { LetterWrites } from './letter-writes.js'
import { LocalGroup } from './local-group.js'
import { type LocalOptions, segmentMessageBytes } from './local-options.js'
import { LocalSchedules } from './local-schedules.js'
import type { TopicHost } from './local-topic.js'
import { LocalTransactions } from './local-transactions.js'
import type { LockFile } from './lock-file.js'
import { backUpLog } from './log-backup.js'
import { closeLog } from './log-closing.js'
import { figuresOf } from './log-figures.js'
import { enlist, withdraw } from './open-logs.js'
import { ReaderFarewell } from './reader-farewell.js'
import type { ReaperThread } from './reaper-thread.js'
import { RunningProcessors } from './running-processors.js'
import { SegmentCensus } from './segment-census.js'
import { SegmentTotals } from './segment-totals.js'
import { callWriter, type StartingThreads } from './starting-threads.js'
import { ThreadDeaths } from './thread-deaths.js'
import { ThreadEngine } from './thread-engine.js'
import { TopicIndexes } from './topic-indexes.js'
import { TopicLimits } from './topic-limits.js'

export class LocalEngine extends ThreadEngine<LocalGroup> implements Engine {
  readonly local: LocalParts
  /** The consumer groups, and how far they have come. */
  readonly registry: GroupRegistry
  readonly commits: GroupCommits
  /** Of other threads that append. */
  readonly lanes: Lanes
  /** Has the writer know the ids of a topic. */
  readonly recallIds: (topic: string, span: IdSpan) => Promise<void>
  protected readonly appends: AppendSide
  protected readonly topicHost: TopicHost
  protected readonly figures: () => LogStats
  readonly #follower: FollowerThread | undefined
  readonly #close: () => Promise<void>
  readonly #transactions: LocalTransactions
  readonly #later: LocalSchedules
  readonly #write = (parts: TransactionParts, level: Durability, outcome?: GroupOutcome<TransactionAnswer>) =>
    this.writeAtOnce(parts, level, outcome)

  /** @param opened what the reaper has found; the writer has started with it */
  constructor(options: LocalOptions, threads: StartingThreads, opened: OpenedLog, lock: LockFile | undefined) {
    const { shared, state, lanes, lane, reaper, writer, follower, bulk, slots } = threads
    const { directory, durability, maxMessageBytes, readOnly } = options
    const { segmentBytes } = opened
    const messageBytesLimit = segmentMessageBytes(segmentBytes)
    const beyondLimit = 'create a log with larger segmentBytes: those of this one hold no more'
    const isFollower = follower !== undefined
    const sizes = { maxMessageBytes, messageBytesLimit, beyondLimit }
    const cells = new TopicCells(shared.topics)
    const facts = { place: directory, durability, ...sizes, isReadOnly: readOnly, isFollower }
    super(facts, segmentBytes, new TopicDirectory(opened.topics, cells))
    const { stage, events, topics } = this
    const keepAlive = new KeepAlive()
    if (options.keepAlive) keepAlive.hold()

    const watch = new Watch({ state, lane, directory, keepAlive })
    // In the order in which they are told what workers have done, see Watch.
    const mailboxes = new GroupMailboxes(shared.groups)
    const commitsNothing = readOnly && !isFollower
    this.commits = new GroupCommits({ state, mailboxes, directory, durability, readOnly: commitsNothing, watch })
    this.registry = new GroupRegistry({
      ...{
        commits: this.commits,
        mailboxes,
        topics,
        state,
        directory,
        readOnly: commitsNothing,
        isFollower,
        keepAlive,
      },
      // The groups of a follower are its own.
      groups: isFollower ? [] : opened.groups,
      control: follower ?? groupsInTheLog(reaper),
    })
    const { registry, commits } = this
    const appends = new AppendSide({
      ...{ state, lanes, lane, memory: new RingMemory(shared.ring), cells, topics },
      ...{ commits, watch, bulk, directory, segmentBytes },
      recallIds: ({ name }, span) => this.recallIds(name, span),
    })
    const farewell = new ReaderFarewell({ state, watch, aliveThreads: () => reads.aliveThreads })

    this.lanes = new Lanes({ threads, topics, watch, keepAlive, directory, ringBytes: options.ringBytes })
    const deaths = new ThreadDeaths({ threads, opened, stage, events, watch, lanes: this.lanes })
    const { id, io, footers } = opened
    const readerData: ReaderData = { shared, id, segmentBytes, io, footers }
    const onReaderEnd = (threadId: number) => {
      // Those that are told to end give back themselves what they have mapped.
      if (!farewell.isSaid) deaths.ownerDied(threadId)
      farewell.threadEnded()
    }
    const reads = new ReadSide(readerData, options.readers, keepAlive, onReaderEnd, (task) => deaths.standIn(task))
    const recalls = new IdRecalls({ threads, reads, keepAlive, now: Date.now })
    this.recallIds = async (name, span) => {
      const { handle } = this.topic(name)
      if (handle.isInLog) await recalls.recall({ id: handle.id, name }, appends.messages.nextOf(handle), span)
    }
    const pace = new TurnPace()
    const hot = new HotReads(readerData, state, pace, options.readers)
    const segments = new SegmentTotals({ segmentBytes, state, slots, topicName: (id) => topics.nameOf(id) })
    const census = new SegmentCensus({
      ...{ directory, segmentBytes, totals: segments, reaper, writerThreadId: writer?.threadId },
      groups: () => this.groups(),
    })
    const indexes = new TopicIndexes(reaper)
    const limits = new TopicLimits({ options, threads, appends, stage, watch, keepAlive })
    const letters = new LetterWrites({
      durability,
      write: (messages, handled, level) => writes.write(messages, handled, level),
      append: (topic, { value, extras }, level) => this.topic(topic).append(value, extras, level),
    })
    const processors = new RunningProcessors({
      ...{ facts, supports: this.supports, readers: options.readers, readerData, events, keepAlive, letters },
      topic: (name) => this.topic(name),
      checkWritable: () => stage.checkWritable(),
      transact: (parts, acks, level) => this.transactShares(parts, acks, [], level),
      isUpToDate: () => this.isUpToDate(),
      onAppending: (port) => writes.attend(port),
      onThreadEnd: (threadId) => deaths.ownerDied(threadId),
    })
    this.appends = appends
    const journals = new JournalKeeper({
      ...{ registry, commits },
      trim: (topic, before) => callWriter(threads, (writer) => writer.trim(topic, before)),
    })
    const desk = (topic: string, name: string) => this.topic(topic).group(name).desk
    const writes = new HandlerWrites({
      desk,
      transact: (parts, acks, level) => this.transactShares(parts, acks, [], level),
    })
    this.topicHost = {
      ...{ appends, reads, hot, pace, events, stage, limits, indexes, messageBytesLimit },
      mayExpire: () => hasFeature(state, 'expiry'),
      keepState: () => beginStateRead(state, Date.now()),
      recent: new RecentMessages(appends.ring, new BatchTimes(shared.times), () => lane.ringHead.load()),
      newGroup: (topic, name) =>
        new LocalGroup(topic, name, { stage, registry, commits, events, processors, elsewhere: follower }),
    }
    this.#later = new LocalSchedules({ engine: this, write: this.#write, clock: wallClock, stage, events })
    this.#transactions = new LocalTransactions({
      groups: new GroupTransactions({
        write: this.#write,
        published: () => state.published.load(),
        onWritten: () => journals.wake(),
      }),
      ...{ later: this.#later, write: this.#write, desk },
      isOwn: (given) => given.isOf(registry),
    })
    const { clockwork } = this.#later
    const publish = () => this.flush('process')
    const attachments = new Attachments({
      ...{ engine: this, events, shared, opened, lanes: this.lanes },
      flushGroups: (level) => commits.flush(level),
    })
    watch.register(attachments)
    this.local = {
      port: () => (isFollower ? Promise.reject(noPortsError(directory)) : attachments.port()),
      flushSync: (level) => this.flushSync(level),
      backup: (target, signal) => backUpLog({ directory, reaper, stage, keepAlive, publish }, target, signal),
      segments: (limit) => keepAlive.during(census.segments(limit)),
      residency: () => keepAlive.during(census.residency()),
    }
    const groups = () => ({ count: registry.count, commits: commits.writtenCount })
    this.figures = () => figuresOf({ state, opened, appends, reads, hot, groups, segments, events, follower })
    this.#close = () =>
      closeLog({
        ...{ directory, threads, lock, stage, watch, appends, reads, hot, commits },
        ...{ lanes: this.lanes, processors, attachments, farewell, deaths, keepAlive, journals, clockwork },
      })

    // An open log alone does not keep the process alive; what is awaited does, see KeepAlive.
    for (const handle of [writer, bulk]) handle?.unref()
    reaper.attend({
      onEvent: (event) => {
        events.reaper(event)
        if (event.type === 'error') watch.checkWorkers()
        if (event.type === 'deleted') hot.dropDeleted()
      },
      onDeath: (exitCode, cause, isReplaced) => deaths.reaperDied(exitCode, cause, isReplaced),
      meetReaper: (orders) => callWriter(threads, (control) => control.meetReaper(transfer(orders, [orders]))),
      remembered: () => ({ retained: limits.retained, indexed: indexes.wanted, groups: registry.cells() }),
    })
    follower?.attend({
      onTopic: (id, name) => {
        topics.learn(id, name)
        // Whoever waits for its first message looks again.
        lane.bell.ring()
      },
      onPublished: () => watch.lookHere(),
      onError: (code, message) => events.error(code, message),
      onEnd: (error) => {
        events.error(error.code, error.message)
        watch.fail(error)
      },
    })
    this.#follower = follower
    enlist(this)
    if (!readOnly && topics.handle(laterTopic).isInLog) clockwork.start()
    for (const { from, to } of opened.damages) events.error('BOOKEND_CORRUPT', `damage at positions ${from} to ${to}`)
    for (const what of opened.otherDamages) events.error('BOOKEND_CORRUPT', what)
  }

  async topicNames(): Promise<string[]> {
    this.#follower?.drain()
    return this.topics.names()
  }

  protected transact(parts: TransactionParts, acks: TransactionAcks, level: Durability): Promise<TransactionAnswer> {
    return this.#transactions.transact(parts, acks, level)
  }

  /** For a thread of its own, or another one. */
  transactShares(
    parts: TransactionParts,
    acks: readonly AckShare[],
    commits: readonly CommitShare[],
    level: Durability,
  ): Promise<TransactionAnswer> {
    return this.#transactions.transactShares(parts, acks, commits, level)
  }

  protected schedule(message: PlannedMessage, level: Durability): Promise<Ticket> {
    return this.#later.scheduler.schedule(message, level)
  }

  protected repeat(repeat: Repeat, level: Durability): Promise<Ticket> {
    return this.#later.repeats.set(repeat, level)
  }

  protected endRepeat(topic: string, name: string, level: Durability): Promise<boolean> {
    return this.#later.repeats.end(topic, name, level)
  }

  protected waiting(topic: string, id: string): Promise<Ticket | undefined> {
    return this.#later.scheduler.waiting(topic, id)
  }

  protected isUpToDate(): Promise<boolean> {
    return this.#later.scheduler.isUpToDate()
  }

  protected cancelScheduled(topic: string, ticket: Ticket, level: Durability): Promise<boolean> {
    return this.#later.scheduler.cancel(topic, ticket, level)
  }

  async groups(): Promise<GroupInfo[]> {
    const known = [...this.registry.list(), ...((await this.#follower?.groupNames()) ?? [])]
    // Names have no slashes. A group of a follower comes before the one of that name that the owner has.
    const each = new Map(known.map(({ topic, name }) => [`${topic}/${name}`, this.topic(topic).group(name)]))
    const infos = await Promise.all([...each.values()].map((group) => group.info()))
    return infos.sort((a, b) => compareText(a.topic, b.topic) || compareText(a.name, b.name))
  }

  flush(level: Durability): Promise<void> {
    if (this.facts.isReadOnly) return Promise.resolve()
    return Promise.all([this.appends.flush(level), this.commits.flush(level)]).then(() => {})
  }

  close(): Promise<void> {
    return this.stage.close(() => {
      withdraw(this)
      return this.#close()
    })
  }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The groups of an owner are in one file, which the reaper keeps. */
function groupsInTheLog(reaper: ReaperThread): GroupControl {
  return {
    async takeGroup(topic, name, committed, journals) {
      const id = await reaper.call((remote) => remote.createGroup(topic, name, committed, journals))
      return { id, state: { committed, ranges: [] } }
    },
    removeGroup: (id) => reaper.call((remote) => remote.removeGroup(id)),
  }
}

const wallClock = {
  now: Date.now,
  wake: (ms: number, call: () => void) => {
    const timer = setTimeout(call, ms).unref()
    return () => clearTimeout(timer)
  },
}

/** What another process publishes is told to the thread that follows it, and to no other. */
function noPortsError(directory: string): BookendError {
  const message = `the log in ${directory} was opened with follow, and has no ports: open it in the thread itself`
  return new BookendError('BOOKEND_UNSUPPORTED', message)
}
