/**
 * The engine inside this process: starts the worker threads of one log, wires them to the dispatcher, ends them.
 */
import type { Worker } from 'node:worker_threads'
import { AppendSide } from '../dispatcher/appends/append-side.js'
import { GroupCommits } from '../dispatcher/groups/group-commits.js'
import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { SeatHost } from '../dispatcher/groups/subscription.js'
import { KeepAlive } from '../dispatcher/keep-alive.js'
import { GroupProcessor, type ProcessorHost } from '../dispatcher/processing/processor.js'
import { ReadSide } from '../dispatcher/reads/read-side.js'
import { ReaderPool } from '../dispatcher/reads/reader-pool.js'
import { RecentMessages } from '../dispatcher/reads/recent-messages.js'
import { TurnPace } from '../dispatcher/reads/turn-pace.js'
import { TopicDirectory } from '../dispatcher/topic-directory.js'
import { Watch } from '../dispatcher/watch.js'
import type { Engine, EngineFacts, LocalParts, Supports } from '../engine/engine.js'
import type { ProcessSettings } from '../engine/group-seat.js'
import type { LogStats } from '../engine/stats.js'
import type { BackupReport, Durability, Retention } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { closedError, isFull, noSpaceError, readOnlyError } from '../failures.js'
import { standInBytes, standInSegments } from '../limits.js'
import { AbortWord } from '../ring/abort-word.js'
import { RingMemory } from '../ring/append-ring.js'
import { BatchTimes } from '../ring/batch-times.js'
import { GroupMailboxes } from '../ring/group-mailboxes.js'
import { TopicCells } from '../ring/topic-cells.js'
import { transfer } from '../threads/control-plane.js'
import { isOwnThread } from '../threads/own-threads.js'
import type { OpenedLog } from '../threads/protocol.js'
import type { LogRead, ReadAnswer } from '../threads/reader/reader.js'
import type { ReaperEvent } from '../threads/reaper/reaper-event.js'
import type { ReaderData } from '../threads/shared-memory.js'
import { type GroupHost, LocalGroup } from './local-group.js'
import { checkMappedBytes, fittingMessageBytes, type LocalOptions, segmentMessageBytes } from './local-options.js'
import { LocalTopic, type TopicHost } from './local-topic.js'
import { LockFile } from './lock-file.js'
import { LogEvents } from './log-events.js'
import { warnOfMissingNative } from './native-parts.js'
import { notLoadedError } from './not-loaded-error.js'
import { enlist, withdraw } from './open-logs.js'
import { reaperDeathError } from './reaper-thread.js'
import { SegmentCensus } from './segment-census.js'
import { callWriter, type StartingThreads, startThreads } from './starting-threads.js'

/** A thread of a processor ends after this long without messages; starting one takes some tens of milliseconds. */
const handlerIdleMs = 10_000
/** Nobody waits longer for readers to close their windows: what one leaves mapped ends with its thread. */
const closePatienceMs = 2_000

export async function openLocalEngine(options: LocalOptions): Promise<LocalEngine> {
  if (isOwnThread()) {
    const hint = 'a module that --import or --require loads opens it only if isMainThread (node:worker_threads) is true'
    throw new TypeError(`a log cannot be opened in a thread that belongs to another one: ${hint}`)
  }
  // A limit that cannot be right is refused before anything is made; an existing log is asked for its own size below.
  if (options.segmentBytes !== undefined) {
    fittingMessageBytes(options, options.segmentBytes)
    checkMappedBytes(options, options.segmentBytes)
  }
  const lock = options.readOnly ? undefined : await LockFile.open(options.directory)
  let starting: StartingThreads | undefined
  try {
    starting = startThreads(options)
    const { segmentBytes } = options
    // Under the first lock alone; the second is on what is made here.
    if (lock !== undefined && !(await lock.openControl())) {
      if (!(await starting.reaper.create({ segmentBytes, locks: lock.files })))
        throw lock.lockedError(options.directory)
      await lock.openControl()
    }
    const opened = await starting.reaper.open({
      segmentBytes,
      readOnly: options.readOnly,
      mapTtlMs: options.mapTtlMs,
      flushIntervalMs: options.flushIntervalMs,
      retention: options.retention,
      diskWatermarks: options.diskWatermarks,
      lockActive: options.lockActive,
      locks: lock?.files ?? [],
    })
    if (opened === false) throw lock?.lockedError(options.directory)
    if (opened.missingNative !== undefined) warnOfMissingNative(opened.missingNative)
    const maxMessageBytes = fittingMessageBytes(options, opened.segmentBytes)
    checkMappedBytes(options, opened.segmentBytes)
    await lock?.sign()
    await callWriter(starting, (writer) => writer.start(opened))
    return new LocalEngine({ ...options, maxMessageBytes }, starting, opened, lock)
  } catch (error) {
    // The writer may be loading modules still: to end it in that can fail checks of V8, and they end the process. Who answers has loaded.
    if (starting !== undefined) await callWriter(starting, (writer) => writer.close()).catch(() => {})
    await Promise.allSettled([starting?.reaper.terminate(), starting?.writer?.terminate()])
    starting?.bulk.close()
    await lock?.close()
    const notLoaded = notLoadedError(error)
    if (notLoaded !== undefined) throw notLoaded
    const { errno = 0 } = error as NodeJS.ErrnoException
    if (isFull(Math.abs(errno))) throw noSpaceError(Math.abs(errno), options.directory)
    throw error
  }
}

export class LocalEngine implements Engine, SeatHost {
  readonly facts: EngineFacts
  readonly supports: Supports = { durabilities: ['process', 'disk'], scan: true, process: true, retention: true }
  readonly local: LocalParts
  /** Called once each, when the log closes: for who would keep it in memory, or wait for ever. */
  readonly onClose = new Set<() => void>()
  /** The consumer groups and how far they have come. */
  readonly groups: GroupCommits
  readonly #options: LocalOptions
  readonly #threads: StartingThreads
  readonly #opened: OpenedLog
  readonly #lock: LockFile | undefined
  readonly #topics: TopicDirectory
  readonly #appends: AppendSide
  readonly #reads: ReadSide
  readonly #watch: Watch
  readonly #recent: RecentMessages
  readonly #keepAlive = new KeepAlive()
  readonly #topicsByName = new Map<string, LocalTopic>()
  readonly #topicHost: TopicHost
  /** By topic and name. */
  readonly #groupsByKey = new Map<string, LocalGroup>()
  readonly #groupHost: GroupHost
  readonly #readerData: ReaderData
  readonly #processors = new Set<GroupProcessor>()
  /** What was said of single topics since the log was opened. */
  readonly #retained = new Map<string, Retention>()
  /** Undefined while the log is open; resolved when everything has ended. */
  #closing: Promise<void> | undefined
  readonly #events: LogEvents
  readonly #census: SegmentCensus
  readonly #writerExited: Promise<void>

  constructor(options: LocalOptions, threads: StartingThreads, opened: OpenedLog, lock: LockFile | undefined) {
    const { shared, state, reaper, writer, bulk } = threads
    const { directory, durability, maxMessageBytes, readOnly } = options
    const messageBytesLimit = segmentMessageBytes(opened.segmentBytes)
    this.facts = { place: directory, durability, maxMessageBytes, messageBytesLimit, isReadOnly: readOnly }
    this.#options = options
    this.#threads = threads
    this.#opened = opened
    this.#lock = lock
    this.#topics = new TopicDirectory(opened.topics)
    this.#events = new LogEvents(options.directory, opened.segmentBytes)
    if (options.keepAlive) this.#keepAlive.hold()
    this.#watch = new Watch({ state, directory, keepAlive: this.#keepAlive })
    this.groups = new GroupCommits({
      state,
      mailboxes: new GroupMailboxes(shared.groups),
      topics: this.#topics,
      groups: opened.groups,
      control: {
        createGroup: (topic, name, committed) => reaper.call((remote) => remote.createGroup(topic, name, committed)),
        removeGroup: (id) => reaper.call((remote) => remote.removeGroup(id)),
      },
      directory: options.directory,
      durability: options.durability,
      readOnly: options.readOnly,
      watch: this.#watch,
      keepAlive: this.#keepAlive,
    })
    this.#appends = new AppendSide({
      state,
      memory: new RingMemory(shared.ring),
      cells: new TopicCells(shared.topics),
      topics: this.#topics,
      commits: this.groups,
      watch: this.#watch,
      bulk,
      directory: options.directory,
      segmentBytes: opened.segmentBytes,
    })
    this.#census = new SegmentCensus({
      directory: options.directory,
      segmentBytes: opened.segmentBytes,
      state,
      slots: threads.slots,
      reaper,
      writerThreadId: writer?.threadId,
      topicName: (id) => this.#topics.nameOf(id),
    })
    this.#recent = new RecentMessages(this.#appends.ring, new BatchTimes(shared.times), () => state.ringHead.load())
    this.#readerData = { shared, id: opened.id, segmentBytes: opened.segmentBytes, io: opened.io }
    const onReaderEnd = (threadId: number) => {
      if (this.isOpen) this.#ownerDied(threadId)
    }
    const standIn = (task: LogRead) => this.#standIn(task)
    this.#reads = new ReadSide(this.#readerData, options.readers, this.#keepAlive, onReaderEnd, standIn)
    this.#writerExited = writer === undefined ? Promise.resolve() : this.#watchWriter(writer)
    // An open log alone does not keep the process alive; what is awaited does, see KeepAlive.
    for (const handle of [writer, bulk]) handle?.unref()
    reaper.attend({
      onEvent: (event) => this.#hear(event),
      onDeath: (exitCode, cause, isReplaced) => this.#reaperDied(exitCode, cause, isReplaced),
      meetReaper: (orders) => callWriter(threads, (writer) => writer.meetReaper(transfer(orders, [orders]))),
      remembered: () => ({
        retained: [...this.#retained],
        groups: this.groups.cells(),
      }),
    })
    this.#topicHost = {
      appends: this.#appends,
      reads: this.#reads,
      recent: this.#recent,
      pace: new TurnPace(),
      events: this.#events,
      onClose: this.onClose,
      checkOpen: () => this.checkOpen(),
      checkWritable: () => this.checkWritable(),
      trim: (topic, before) => this.#trim(topic, before),
      retain: (topic, retention, isAddition) => this.#retain(topic, retention, isAddition),
      group: (topic, name) => this.#group(topic, name),
    }
    this.#groupHost = {
      seats: this,
      commits: this.groups,
      onSkipped: (topic, group, skipped, first) => this.#events.skipped(topic, group, skipped, first),
      process: (topic, desk, module, settings) => this.#process(topic, desk, module, settings),
    }
    this.local = {
      flushSync: (level) => this.#flushSync(level),
      backup: (target, signal) => this.#backup(target, signal),
      segments: (limit) => this.#keepAlive.during(this.#census.segments(limit)),
      residency: () => this.#keepAlive.during(this.#census.residency()),
    }
    enlist(this)
    for (const { from, to } of opened.damages)
      this.#events.error('BOOKEND_CORRUPT', `damage at positions ${from} to ${to}`)
    for (const what of opened.otherDamages) this.#events.error('BOOKEND_CORRUPT', what)
  }

  topic(name: string): LocalTopic {
    let topic = this.#topicsByName.get(name)
    if (topic === undefined) {
      topic = new LocalTopic(this.#topics.handle(name), this.#topicHost)
      this.#topicsByName.set(name, topic)
    }
    return topic
  }

  async topicNames(): Promise<string[]> {
    return this.#topics.names()
  }

  async #trim(topic: LocalTopic, before: number): Promise<void> {
    this.checkWritable()
    const { handle } = topic
    // What was handed over before can be trimmed as well: let it be published first, as far as a full disk lets it.
    if (before > topic.next()) await this.#appends.flush('process').catch(() => {})
    this.checkWritable()
    if (this.#watch.failure !== undefined) throw this.#watch.failure
    // A topic that is not there has nothing to lose.
    if (handle.id < 0) return
    const next = topic.next()
    if (before > next)
      throw new RangeError(
        `offset ${before} of topic "${topic.name}" is not written yet: the next one is ${next}, and trim(${next}) would delete everything there is`,
      )
    try {
      await this.#keepAlive.during(callWriter(this.#threads, (writer) => writer.trim(handle.id, before)))
    } catch (error) {
      this.#watch.checkWorkers()
      if (this.#watch.failure !== undefined) throw this.#watch.failure
      const { errno = 0 } = error as NodeJS.ErrnoException
      throw isFull(errno) ? noSpaceError(errno, this.facts.place, 'the record of a trim') : error
    }
    if (this.facts.durability === 'disk') await this.#appends.flushPublished()
    await this.#keepAlive.during(this.#threads.reaper.call((remote) => remote.trimmed()))
  }

  flush(level: Durability): Promise<void> {
    if (this.#options.readOnly) return Promise.resolve()
    return Promise.all([this.#appends.flush(level), this.groups.flush(level)]).then(() => {})
  }

  #flushSync(level: Durability): void {
    if (!this.#options.readOnly) this.#appends.flushSync(level)
  }

  #group(topic: LocalTopic, name: string): LocalGroup {
    // Names have no slashes.
    const key = `${topic.name}/${name}`
    let group = this.#groupsByKey.get(key)
    if (group === undefined) {
      group = new LocalGroup(topic, name, this.#groupHost)
      this.#groupsByKey.set(key, group)
    }
    return group
  }

  #process(topic: LocalTopic, desk: GroupDesk, module: string, settings: ProcessSettings): GroupProcessor {
    const { deadLetter, maxHeapMb, order, concurrency = this.#options.readers } = settings
    if (deadLetter === topic.name)
      throw new RangeError(`deadLetter is another topic than "${deadLetter}": what fails would come back without end`)
    const maxThreads = order === 'topic' ? 1 : concurrency
    const pool = { minThreads: 0, maxThreads, idleTimeoutMs: handlerIdleMs, maxHeapMb }
    const { durability, maxMessageBytes } = this.facts
    const host: ProcessorHost = {
      durability,
      maxMessageBytes,
      next: () => topic.next(),
      record: (_, offset) => topic.record(offset),
      append: ({ name }, value, extras, level) => this.topic(name).append(value, extras, level),
      deadLetter: deadLetter === undefined ? undefined : this.topic(deadLetter).handle,
      onFailure: (error) => this.#events.processor(topic.name, desk.name, error),
      threads: new ReaderPool(this.#readerData, pool, this.#keepAlive, (threadId) => {
        // Its threads come and go, and end with what they have mapped: nobody waits until they have closed it.
        this.#ownerDied(threadId)
      }),
    }
    const processor = new GroupProcessor(desk, host, module, { ...settings, concurrency })
    this.#processors.add(processor)
    void this.#keepAlive
      .during(processor.finished)
      .catch(() => {})
      .finally(() => this.#processors.delete(processor))
    return processor
  }

  async #backup(target: string, signal: AbortSignal | undefined): Promise<BackupReport> {
    this.checkOpen()
    signal?.throwIfAborted()
    const abort = new AbortWord()
    const giveUp = () => abort.raise()
    this.onClose.add(giveUp)
    signal?.addEventListener('abort', giveUp)
    try {
      await this.flush('process')
      this.checkOpen()
      return await this.#keepAlive.during(
        this.#threads.reaper.callOnce((remote) => remote.backup(target, abort.shared)),
      )
    } catch (error) {
      if (signal?.aborted && abort.isRaised) throw signal.reason
      if (!this.isOpen && abort.isRaised) throw closedError(this.facts.place)
      const { code, errno = 0 } = error as NodeJS.ErrnoException
      if (code !== undefined && isFull(Math.abs(errno))) {
        const message = `no space for a backup in ${target} (${code}): nothing of it was kept`
        throw new BookendError('BOOKEND_NO_SPACE', message, { cause: error })
      }
      throw error
    } finally {
      this.onClose.delete(giveUp)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  stats(): LogStats {
    const { state } = this.#threads
    return {
      messages: state.publishedRecords.load(),
      messageBytes: state.publishedBytes.load(),
      batches: state.publishedBatches.load(),
      positions: {
        published: state.published.load(),
        durable: state.durable.load(),
        trimmed: state.trim.load(),
        indexed: state.indexed.load(),
      },
      ring: {
        capacityBytes: this.#appends.ring.memory.capacity,
        usedBytes: this.#appends.ring.usedBytes,
        waiting: this.#appends.overflowCount,
        pending: this.#appends.pendingCount,
      },
      segments: this.#census.totals(),
      flushes: {
        count: state.flushCount.load(),
        totalMs: state.flushMicros.load() / 1000,
        lastMs: state.lastFlushMicros.load() / 1000,
      },
      readers: { threads: this.#reads.threads, tasks: this.#reads.taskCount, running: this.#reads.running },
      groups: { count: this.groups.count, commits: this.groups.writtenCount },
      recovery: { tornBytes: this.#opened.tornBytes, damages: this.#opened.damages, epoch: this.#opened.epoch },
      io: this.#opened.io,
      prefaultedBytes: state.prefaultedBytes.load(),
      errors: this.#events.errors,
    }
  }

  #retain(topic: string, retention: Retention, isAddition: boolean): void {
    if (this.#options.readOnly) return
    const before = isAddition ? (this.#retained.get(topic) ?? this.#options.retention) : {}
    const policy = { ...before, ...retention }
    // Also for a reaper to come.
    this.#retained.set(topic, policy)
    this.#threads.reaper.call((remote) => remote.retain(topic, policy)).catch(() => {})
  }

  get isOpen(): boolean {
    return this.#closing === undefined
  }

  checkOpen(): void {
    if (!this.isOpen) throw closedError(this.facts.place)
  }

  checkWritable(): void {
    this.checkOpen()
    if (this.#options.readOnly) throw readOnlyError(this.facts.place)
  }

  close(): Promise<void> {
    // The log counts as closing from here on, before the first step of it.
    this.#closing ??= Promise.resolve().then(() => this.#close())
    return this.#closing
  }

  /** Called in the `exit` event: what was offered must not die in the ring with the process. */
  onExit(): void {
    try {
      this.#flushSync('process')
    } catch (error) {
      this.#events.note('at exit', error)
    }
  }

  /**
   * Order: no new calls; processors end; appends and reads under way finish; readers give their windows back and end; everything is
   * flushed while the writer's mapping is there; the writer ends; the reaper marks the log clean and ends; the lock goes last.
   */
  async #close(): Promise<void> {
    const { reaper, writer, bulk } = this.#threads
    this.#keepAlive.hold()
    withdraw(this)
    let failure: unknown
    // First, so that what their handlers have done is acknowledged with the rest.
    await Promise.all([...this.#processors].map((processor) => processor.stop()))
    if (this.#watch.failure === undefined && writer !== undefined) {
      await this.#appends.flush('disk').catch((error) => {
        failure = error
      })
    }
    for (const tell of this.onClose) tell()
    await this.#reads.idle()
    await this.#closeReaders()
    // The last of what consumers have acknowledged; whose commits fail has been told so.
    if (writer !== undefined) await this.groups.flush('disk').catch(() => {})
    const isClean = failure === undefined && this.#watch.failure === undefined && writer !== undefined
    this.#watch.fail(closedError(this.facts.place))
    const isWriterDone = await callWriter(this.#threads, (control) => control.close()).then(
      () => true,
      () => false,
    )
    if (isWriterDone) await this.#writerExited
    await reaper.close(isClean)
    await Promise.allSettled([writer?.terminate(), reaper.terminate()])
    bulk.close()
    await this.#lock?.close()
    this.#keepAlive.end()
    if (failure !== undefined) throw failure
  }

  /** Lets every reader thread close its windows before the pool ends it. */
  async #closeReaders(): Promise<void> {
    const { state } = this.#threads
    state.closing.store(1)
    state.retirements.ring()
    const deadline = performance.now() + closePatienceMs
    // Those that have died, and were not missed, do not answer.
    const areClosed = () => state.closedReaders.load() >= this.#reads.aliveThreads
    while (!areClosed() && performance.now() < deadline) {
      const token = state.dispatcher.arm()
      if (areClosed()) break
      await state.dispatcher.waitAsync(token, 20)
    }
    await this.#reads.close()
  }

  /** Without its writer a log takes no more appends: what the thread was about to publish went with it. */
  async #watchWriter(worker: Worker): Promise<void> {
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    const { threadId } = worker
    const exitCode = await new Promise<number>((resolve) => worker.once('exit', resolve))
    this.#disown(threadId)
    if (!this.isOpen && cause === undefined) return
    const message = `the writer thread died (exit code ${exitCode}): the log can be read, but takes no more appends until it is opened again`
    const error = new BookendError('BOOKEND_WORKER', message, { cause })
    this.#events.error(error.code, message)
    this.#watch.fail(error)
  }

  #reaperDied(exitCode: number, cause: unknown, isReplaced: boolean): void {
    if (!this.isOpen) return
    if (isReplaced) {
      this.#events.error('BOOKEND_WORKER', `the reaper thread died (exit code ${exitCode}) and was replaced`)
      return
    }
    const error = reaperDeathError(exitCode, cause)
    this.#events.error(error.code, error.message)
    this.#watch.fail(error)
  }

  /** While no reader can answer, the reaper does, unless it would have to look at so much that its own work would have to wait. */
  #standIn(task: LogRead): Promise<ReadAnswer> | undefined {
    const { state, reaper } = this.#threads
    const indexed = state.indexed.load()
    const segments = (indexed - state.trim.load()) / this.#opened.segmentBytes
    const isMuch = state.published.load() - indexed > standInBytes || segments > standInSegments
    return isMuch ? undefined : reaper.callOnce((remote) => remote.read(task))
  }

  /** What a thread that has ended had mapped is taken over, by the reaper of the moment. */
  #ownerDied(threadId: number): void {
    this.#threads.reaper.call((remote) => remote.ownerDied(threadId)).catch(() => {})
  }

  /** The writer may have ended without giving its mappings back: the reaper must not touch what is not ours any more. */
  #disown(threadId: number): void {
    const { slots } = this.#threads
    // A koffi mapping outlives its thread, and the reaper retires it. One of mmap-io was unmapped with the thread.
    if (this.#opened.io === 'koffi') this.#ownerDied(threadId)
    else
      for (const { slot, owner } of slots.rows()) if (owner === threadId && slots.tryWithdraw(slot)) slots.release(slot)
  }

  #hear(event: ReaperEvent): void {
    this.#events.reaper(event)
    if (event.type === 'error') this.#watch.checkWorkers()
  }
}
