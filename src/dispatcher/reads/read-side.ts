/**
 * The application thread's end of reading: tasks for the reader threads, never a task per message.
 *
 * In the order in which a read meets them: this class, its `ReaderPool` of threads, `Reading` (all that one such thread has),
 * `Reader` (which carries out tasks), `TopicReader` (which finds the records of a topic in segments). `ChunkReader` stands in front:
 * one stream of a topic, chunk after chunk.
 */

import type { PackedKeys } from '../../collections/packed-keys.js'
import type { KeyedRange, ScanRequest } from '../../engine/engine.js'
import { type BookendError, isThreadDeath } from '../../errors.js'
import { closedError } from '../../failures.js'
import type {
  ChunkAnswer,
  IdsAnswer,
  KeyedAnswer,
  KeyedAnswers,
  KeyedAsk,
  NewestAnswer,
  ReadTask,
  RecordsAnswer,
  TopicRef,
} from '../../threads/reader/reader.js'
import type { ScanRange } from '../../threads/reader/scan-task.js'
import type { ReaderData } from '../../threads/shared-memory.js'
import type { KeepAlive } from '../keep-alive.js'
import { type AskStandIn, ReaderPool } from './reader-pool.js'
import { recordIn } from './records-answer.js'
import { SharedScans } from './shared-scans.js'
import type { TopicReads } from './topic-reads.js'
import { TurnQuestions } from './turn-questions.js'

/** Fewer lookups than this are not worth a second thread: a task costs its thread as much as some twenty of them. */
const leastLookups = 50
/** A key is looked for in some tens of microseconds where there are indexes, and in milliseconds where there are none. */
const keysATask = { least: 8, most: 64 }
/** What is asked for the last message of each key is looked for by one look: the more they are, the less each of them takes. */
const lastsATask = { least: 8, most: 1_024 }

export class ReadSide implements TopicReads {
  readonly #pool: ReaderPool
  readonly #directory: string
  readonly #readers: number
  readonly #scans: SharedScans
  readonly #lookups: TurnQuestions<number, Uint8Array>
  readonly #keys: TurnQuestions<KeyedAsk, KeyedAnswer>
  readonly #lasts: TurnQuestions<KeyedAsk, KeyedAnswer>
  #isClosed = false

  /** @param onThreadEnd called with each thread that has ended */
  constructor(
    data: ReaderData,
    readers: number,
    keepAlive: KeepAlive,
    onThreadEnd: (threadId: number) => void,
    standIn: AskStandIn,
  ) {
    this.#directory = data.shared.directory
    this.#readers = readers
    // An idle worker keeps its windows, indexes and modules; the reaper sees to the memory behind the windows.
    const idleTimeoutMs = Number.POSITIVE_INFINITY
    // None before the first task: what is hot is read without them, and many logs are only written to.
    const options = { maxThreads: readers, idleTimeoutMs, maxHeapMb: undefined }
    this.#pool = new ReaderPool(data, options, keepAlive, onThreadEnd, standIn)
    this.#lookups = new TurnQuestions({
      ask: async (topic, offsets) => {
        const answer = await this.#records(topic, offsets)
        return offsets.map((_, index) => recordIn(answer, index))
      },
      perTask: (count) => count,
    })
    const byKey = ({ least, most }: typeof keysATask) =>
      new TurnQuestions<KeyedAsk, KeyedAnswer>({
        ask: (topic, asked) => this.#keyed(topic, asked),
        perTask: (count) => Math.min(most, Math.max(least, Math.ceil(count / readers))),
      })
    this.#keys = byKey(keysATask)
    this.#lasts = byKey(lastsATask)
    this.#scans = new SharedScans({
      readers,
      run: (task, signal) => this.#run(task, signal),
      cut: ({ topic, from, to }, parts) => this.#run({ op: 'ranges', topic, from, to, parts }) as Promise<ScanRange[]>,
    })
  }

  get threads(): number {
    return this.#readers
  }

  /** Those that have been started and have not ended. */
  get aliveThreads(): number {
    return this.#pool.threadCount
  }

  get running(): number {
    return this.#pool.running
  }

  get taskCount(): number {
    return this.#pool.taskCount
  }

  chunk(task: Omit<Extract<ReadTask, { op: 'chunk' }>, 'op'>): Promise<ChunkAnswer> {
    return this.#run({ op: 'chunk', ...task }) as Promise<ChunkAnswer>
  }

  /** Records in the order of their offsets here. Many of them are looked up by several threads, each a part of them. */
  records(topic: TopicRef, offsets: readonly number[]): Promise<RecordsAnswer[]> {
    const parts = Math.max(1, Math.min(this.#readers, Math.floor(offsets.length / leastLookups)))
    const perPart = Math.ceil(offsets.length / parts)
    return Promise.all(
      Array.from({ length: parts }, (_, part) =>
        this.#records(topic, offsets.slice(part * perPart, (part + 1) * perPart)),
      ),
    )
  }

  /** One record; lookups made in the same turn share a task. */
  async record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    const bytes = await this.#lookups.ask(topic, offset)
    return { bytes, length: bytes.length }
  }

  offsetAt(topic: TopicRef, time: number): Promise<number> {
    return this.#run({ op: 'offsetAt', topic, time }) as Promise<number>
  }

  /** A part of the ids that messages of a topic were appended under. */
  ids(task: Omit<Extract<ReadTask, { op: 'ids' }>, 'op'>): Promise<IdsAnswer> {
    return this.#run({ op: 'ids', ...task }) as Promise<IdsAnswer>
  }

  keyed(topic: TopicRef, key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer> {
    return (range.max === 1 && range.isReverse ? this.#lasts : this.#keys).ask(topic, { key, range })
  }

  newest(topic: TopicRef, keys: PackedKeys): Promise<NewestAnswer> {
    return this.#run({ op: 'newest', topic, keys }) as Promise<NewestAnswer>
  }

  scan(topic: TopicRef, request: ScanRequest): Promise<unknown> {
    return this.#scans.run({ topic, ...request })
  }

  /** The log closes. Resolves when no thread is at work on a scan. @param closed what scans reject with, those under way too */
  endScans(closed: BookendError): Promise<void> {
    return this.#scans.end(closed)
  }

  /** Resolves when no task is running. */
  idle(): Promise<void> {
    return this.#pool.idle()
  }

  close(): Promise<void> {
    this.#isClosed = true
    return this.#pool.close()
  }

  #records(topic: TopicRef, offsets: readonly number[]): Promise<RecordsAnswer> {
    return this.#run({ op: 'records', topic, offsets: Float64Array.from(offsets) }) as Promise<RecordsAnswer>
  }

  async #keyed(topic: TopicRef, asked: readonly KeyedAsk[]): Promise<KeyedAnswer[]> {
    const { bytes, parts } = (await this.#run({ op: 'keyed', topic, asked })) as KeyedAnswers
    return parts.map(({ at, end, ...part }) => ({ ...part, bytes: parts.length === 1 ? bytes : bytes.slice(at, end) }))
  }

  #run(task: ReadTask, signal?: AbortSignal): Promise<unknown> {
    return this.#pool.run(task, signal).catch((error: Error) => {
      // Its threads have not died, they were ended: nothing keeps a log from closing between two steps of a lookup.
      throw this.#isClosed && isThreadDeath(error) ? closedError(this.#directory) : error
    })
  }
}
