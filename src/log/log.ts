/** The open log, as the application holds it. */
import type { Engine, Supports } from '../engine/engine.js'
import type { LogStats, SegmentInfo, SegmentResidency } from '../engine/stats.js'
import type { BackupReport, Durability, GroupInfo, LogPort, Retention, TopicIndex } from '../engine/terms.js'
import { connectEngine } from '../local/attached/connection.js'
import { openLocalEngine } from '../local/opening.js'
import type { Codec } from '../messages/codec.js'
import { tracing } from '../tracing.js'
import { checkAppendOptions, type Dedupe } from './append-options.js'
import { type DeadLetterBox, TopicDeadLetters } from './dead-letters.js'
import { type ScheduledList, type ScheduledOptions, scheduledList } from './later/scheduled-list.js'
import {
  checkDedupe,
  checkIndex,
  checkRetention,
  completeOptions,
  type OpenOptions,
  resolveDirectory,
} from './options.js'
import { laneName, PriorityQueue } from './priorities/priority-queue.js'
import { LogProducer, type Producer } from './producer.js'
import { type Queue, TopicQueue } from './queue.js'
import { checkLevel, checkSupported, localParts, transactionsOf } from './supported.js'
import type { Topic } from './topic.js'
import { TracedTopic } from './traced-topic.js'
import { builtTransaction, type Transaction, type TransactionOptions } from './transaction.js'
import { checkCodec, checkInteger, checkKeys, checkName, checkOneOf, checkSignal } from './validate.js'
import { callUnderWay } from './work/call-under-way.js'
import { functionProcessorsOf } from './work/function-processors.js'

/** How a queue is used here. */
export interface QueueOptions<T> {
  /** How values become bytes; without one they are `Uint8Array`. */
  codec?: Codec<T>
  /**
   * How many priorities its jobs may have, from 0, the lowest, on; 1 to 16. Say the same each time: each is a topic of its own, that of priority 1 `NAME.priority-1`.
   */
  priorities?: number
  /** For how long the ids of its jobs are remembered that are done: see `PushOptions.id`. As for `topic()`. */
  dedupe?: Dedupe
}

/** How a backup is made. */
export interface BackupOptions {
  /** Ends the backup, which removes what it has made. */
  signal?: AbortSignal
}

/** How a topic is used here. */
export interface TopicOptions<T> {
  /** How values become bytes; without one they are `Uint8Array`. */
  codec?: Codec<T>
  /** What of this topic may be deleted; `{}`: nothing. Without it the log's `retention` holds, or what an earlier call said. */
  retention?: Retention
  /** For how long ids given to appends through this handle are remembered: see `AppendOptions.id`. The longest that any handle says counts. */
  dedupe?: Dedupe
  /**
   * By what messages are to be found fast: `{ keys: true }` for `last` and `byKey`, `{ headers: ['type'] }` for `where`; by time with any of
   * them, or with `{}`. Nothing needs an index to be right. In force from this call until the log is closed, beside what other handles say; not stored, so say it each time the log is
   * opened. What has an index keeps it.
   */
  index?: TopicIndex
}

/** An open log. One process owns it at a time; inside the process its work is spread over worker threads. */
export interface Log extends AsyncDisposable {
  /** Where it is: a directory, or URLs of servers and a name. */
  readonly directory: string
  /** What this log can do; whatever it cannot is `BOOKEND_UNSUPPORTED`. */
  readonly supports: Supports
  /**
   * A handle on a topic; the topic comes to be with its first append. A `retention` is in force from this call until the log is
   * closed, in place of the log's own; it is not stored, so say it each time the log is opened.
   * @throws RangeError for a bad name
   */
  topic<T = Uint8Array>(name: string, options?: TopicOptions<T>): Topic<T>
  /**
   * A handle on a queue: the topic of that name, consumed by one group. From this call until the log is closed its messages are
   * deleted once all groups of the topic are past them, in whole segments.
   * @throws RangeError for a bad name
   */
  queue<T = Uint8Array>(name: string, options?: QueueOptions<T>): Queue<T>
  /**
   * The dead letters that processors have put into the topic of that name, their `deadLetter`: to look at, to bring back, to discard.
   * @throws RangeError for a bad name
   */
  deadLetters(name: string): DeadLetterBox
  /** Names of the topics that exist, in alphabetical order. */
  topics(): Promise<string[]>
  /**
   * Writes messages of several topics, acknowledgements of several groups and numbers of registers, at one moment: all of it is visible at once, or nothing of it ever is, whatever
   * crashes. Nothing is written before `build` has returned (its promise is awaited); if it throws, nothing is.
   * @returns the offsets of the messages, in the order in which they were appended
   * @throws `BOOKEND_CONFLICT` where a condition does not hold; `BOOKEND_TOO_LARGE` for more than a segment holds; as `Topic.append`. Nothing was
   *   written then
   */
  transaction(
    build: (transaction: Transaction) => void | Promise<void>,
    options?: TransactionOptions,
  ): Promise<{
    /** Of what it has appended, in the order of the calls. */
    offsets: number[]
  }>
  /**
   * What was scheduled, and is neither delivered nor cancelled, in the order in which it comes due: `await` it for an array, or iterate it. As of the
   * first step; on a log opened with `readOnly` too.
   */
  scheduled(options?: ScheduledOptions): ScheduledList
  /** The number that a transaction has set under this name; undefined: none has. @throws RangeError for a bad name */
  register(name: string): Promise<number | undefined>
  /** A producer of this log, by its name. @throws RangeError for a bad name */
  producer(name: string): Producer
  /**
   * The consumer groups of all topics, by topic and name: where they stand, and who works for them in this log. Where another process's log
   * is followed, those of all followers, and of the owner where no follower has one of that name.
   */
  groups(): Promise<GroupInfo[]>
  /** Resolves when everything handed over so far has reached that level (`process` unless said). */
  flush(level?: Durability): Promise<void>
  /**
   * The same, blocking the calling thread: for `exit` handlers. When it returns, a killed process loses nothing of what was
   * handed over.
   */
  flushSync(level?: Durability): void
  /** Figures, at once: shared counters are read, nothing is asked of other threads. */
  stats(): LogStats
  /** Which segments are mapped by which threads, and how much of each is in memory. */
  residency(): Promise<SegmentResidency[]>
  /** The oldest segments of the log, `limit` of them (100 unless said), and for each why it is there and who needs it. */
  segments(options?: { limit?: number }): Promise<SegmentInfo[]>
  /**
   * Copies the log into `directory`, which must not exist or be empty, while the log stays in use: the copy is the log at one
   * moment, with everything that was appended, or offered, before the call. It is flushed, and opens like a log that was
   * closed. No segment is deleted while a backup runs.
   *
   * A backup that fails or is aborted removes what it has made. One that a crash, or the end of the thread that copies
   * (`BOOKEND_WORKER`), has cut short is refused by `open`.
   * @throws RangeError if the directory is not empty or inside the log, `BOOKEND_NO_SPACE`, `BOOKEND_CLOSED` if the log is
   *   closed meanwhile; other system errors as they are
   */
  backup(directory: string | URL, options?: BackupOptions): Promise<BackupReport>
  /**
   * A way into the log for one other thread of this process, which calls {@link connect} with it. Send it in `workerData` or a
   * message, with its `ports` as the transfer list; ask for one for each thread, and for each time. May be called in any thread that has
   * the log.
   * @throws `BOOKEND_CLOSED`
   */
  port(): Promise<LogPort>
  /**
   * Waits for pending appends and reads, flushes, unmaps everything, ends the threads and releases the lock. Idempotent.
   * Every call after it fails with `BOOKEND_CLOSED`; streams that are still being read do too, and scans that are under way. So do calls in other threads
   * that are connected to the log. A connected log closes for its own thread alone. In a handler that is a function it resolves at once, as
   * {@link Processor.stop} does, and the log closes when the calls under way have ended.
   */
  close(): Promise<void>
}

/**
 * Opens the log in `directory`, creating both if they do not exist.
 * @throws `BOOKEND_LOCKED` if another owner has it, `BOOKEND_FORMAT` if the directory holds something else,
 *   `BOOKEND_NO_SPACE`, TypeError and RangeError for bad options; system errors (EACCES, EROFS, ...) as they are
 */
export async function open(directory: string | URL, options: OpenOptions = {}): Promise<Log> {
  const engine = await openLocalEngine(completeOptions(directory, options))
  return new EngineLog(engine)
}

/** How another thread uses the log. */
export interface ConnectOptions {
  /**
   * `here` (the default): messages are read in the calling thread, without another one in between; it may then wait for the disk.
   * `pool`: in the reader threads of the log, as where it was opened.
   */
  reads?: 'here' | 'pool'
}

/**
 * The log in another thread than the one that opened it, with a way of its own for appends: they keep the order of this thread's calls, and
 * `offer` waits for nobody. {@link Log.close} detaches this thread alone; a thread that ends without it does no harm: what it had handed over
 * is written, and what it held of groups comes again to others at once.
 * @param port what {@link Log.port} resolved with, in the thread that it was sent to
 * @throws TypeError if it is none, was connected before, or was passed on; `BOOKEND_CLOSED` if its log has closed; `BOOKEND_NO_SPACE` if
 *   too many threads are connected
 */
export async function connect(port: LogPort, options: ConnectOptions = {}): Promise<Log> {
  checkKeys('connect()', options, ['reads'])
  const reads = checkOneOf('reads', options.reads ?? 'here', ['here', 'pool'])
  return new EngineLog(await connectEngine(port, reads))
}

export class EngineLog implements Log {
  readonly directory: string
  readonly supports: Supports
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.directory = engine.facts.place
    this.supports = engine.supports
    this.#engine = engine
  }

  topic<T = Uint8Array>(name: string, options: TopicOptions<T> = {}): Topic<T> {
    checkName('topic', name)
    checkKeys('topic()', options, ['codec', 'retention', 'dedupe', 'index'])
    const dedupe = options.dedupe === undefined ? undefined : checkDedupe(options.dedupe)
    const codec = checkCodec(options.codec)
    const retention = options.retention === undefined ? undefined : checkRetention('retention', options.retention)
    const index = options.index === undefined ? undefined : checkIndex(options.index)
    this.#engine.checkOpen()
    if (index !== undefined) {
      checkSupported(this.#engine, this.#engine.supports.indexes, 'index')
      this.#engine.topic(name).index(index)
    }
    if (retention !== undefined) {
      checkSupported(this.#engine, this.#engine.supports.retention, 'retention')
      if (retention.compact === true)
        checkSupported(this.#engine, this.#engine.supports.compaction, 'retention.compact')
      this.#engine.topic(name).retain(retention, false)
    }
    return new TracedTopic<T>(this.#engine, name, codec, dedupe)
  }

  queue<T = Uint8Array>(name: string, options: QueueOptions<T> = {}): Queue<T> {
    checkName('queue', name)
    checkKeys('queue()', options, ['codec', 'priorities', 'dedupe'])
    const codec = checkCodec(options.codec)
    const dedupe = options.dedupe === undefined ? undefined : checkDedupe(options.dedupe)
    this.#engine.checkOpen()
    const priorities = options.priorities === undefined ? 1 : checkInteger('priorities', options.priorities, 1, 16)
    if (priorities === 1) return this.#lane(name, codec, dedupe)
    const names = Array.from({ length: priorities }, (_, priority) => checkName('queue', laneName(name, priority)))
    return new PriorityQueue<T>(
      name,
      names.map((lane) => this.#lane(lane, codec, dedupe)),
    )
  }

  #lane<T>(name: string, codec: Codec<T>, dedupe: Dedupe | undefined): TopicQueue<T> {
    if (this.#engine.supports.retention) this.#engine.topic(name).retain({ consumed: true }, true)
    const topic = new TracedTopic<T>(this.#engine, name, codec, dedupe)
    return new TopicQueue<T>(this.#engine, topic, topic.decode)
  }

  deadLetters(name: string): DeadLetterBox {
    checkName('topic', name)
    this.#engine.checkOpen()
    return new TopicDeadLetters(this.#engine, name, (topic) => this.topic(topic))
  }

  async topics(): Promise<string[]> {
    this.#engine.checkOpen()
    return this.#engine.topicNames()
  }

  transaction(
    build: (transaction: Transaction) => void | Promise<void>,
    options?: TransactionOptions,
  ): Promise<{ offsets: number[] }> {
    try {
      if (typeof build !== 'function')
        throw new TypeError('transaction() takes a function that says what is to be written')
      if (options !== undefined) checkKeys('transaction()', options, ['durability', 'signal'])
      return builtTransaction(this.#engine, build, checkAppendOptions(this.#engine, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  scheduled(options: ScheduledOptions = {}): ScheduledList {
    return scheduledList(this.#engine, options)
  }

  async register(name: string): Promise<number | undefined> {
    checkName('register', name)
    this.#engine.checkOpen()
    return transactionsOf(this.#engine, 'registers').register('r', name)
  }

  producer(name: string): Producer {
    checkName('producer', name)
    this.#engine.checkOpen()
    return new LogProducer(this.#engine, transactionsOf(this.#engine, 'producers'), name)
  }

  async groups(): Promise<GroupInfo[]> {
    this.#engine.checkOpen()
    const functions = functionProcessorsOf(this.#engine)
    return (await this.#engine.groups()).map((info) => {
      const here = functions.of(info.topic, info.name)
      return here.length === 0 ? info : { ...info, processors: [...info.processors, ...here] }
    })
  }

  async flush(level: Durability = 'process'): Promise<void> {
    checkLevel(this.#engine, 'level', level)
    this.#engine.checkOpen()
    if (!tracing.flush.start.hasSubscribers) return this.#engine.flush(level)
    return tracing.flush.tracePromise(() => this.#engine.flush(level), { log: this.directory, level })
  }

  flushSync(level: Durability = 'process'): void {
    checkLevel(this.#engine, 'level', level)
    this.#engine.checkOpen()
    localParts(this.#engine, 'flushSync()').flushSync(level)
  }

  stats(): LogStats {
    this.#engine.checkOpen()
    return this.#engine.stats()
  }

  async backup(directory: string | URL, options: BackupOptions = {}): Promise<BackupReport> {
    checkKeys('backup()', options, ['signal'])
    const signal = checkSignal(options.signal)
    return localParts(this.#engine, 'backup()').backup(resolveDirectory(directory), signal)
  }

  async residency(): Promise<SegmentResidency[]> {
    this.#engine.checkOpen()
    return localParts(this.#engine, 'residency()').residency()
  }

  async segments(options: { limit?: number } = {}): Promise<SegmentInfo[]> {
    checkKeys('segments()', options, ['limit'])
    const limit = checkInteger('limit', options.limit ?? 100, 1, 1_000_000)
    this.#engine.checkOpen()
    return localParts(this.#engine, 'segments()').segments(limit)
  }

  async port(): Promise<LogPort> {
    this.#engine.checkOpen()
    return localParts(this.#engine, 'port()').port()
  }

  close(): Promise<void> {
    const functions = functionProcessorsOf(this.#engine)
    if (!functions.areRunning) return this.#engine.close()
    // What they have done is acknowledged while that can still be written.
    const closed = functions.end().then(() => this.#engine.close())
    if (callUnderWay()?.of.engine !== this.#engine) return closed
    // The log closes when the call has ended, which cannot wait for that.
    closed.catch(() => {})
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
