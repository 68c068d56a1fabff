/** How a thread that is attached to a log reads: with windows of its own, or by the reader threads of the owner. */

import type { PackedKeys } from '../../collections/packed-keys.js'
import { recordIn } from '../../dispatcher/reads/records-answer.js'
import type { TopicReads } from '../../dispatcher/reads/topic-reads.js'
import type { KeyedRange, ScanRequest } from '../../engine/engine.js'
import { type BookendError, fromPortable } from '../../errors.js'
import type {
  ChunkAnswer,
  KeyedAnswer,
  KeyedAnswers,
  LogRead,
  NewestAnswer,
  RecordsAnswer,
  TopicRef,
} from '../../threads/reader/reader.js'
import type { OwnReading } from './own-reading.js'
import type { OwnerParty } from './protocol.js'

/** By the reader threads of the owner, and over the owner's event loop. */
export class ReadsInPool implements TopicReads {
  /** As in `stats()`. */
  readonly threads = 0
  readonly running = 0
  taskCount = 0
  readonly #owner: OwnerParty
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #scansEnd = new AbortController()

  constructor(owner: OwnerParty) {
    this.#owner = owner
  }

  chunk({ topic, offset, to, resume, filter, only }: Parameters<TopicReads['chunk']>[0]): Promise<ChunkAnswer> {
    return this.#counted(this.#owner.call('chunk', topic.name, offset, to, resume, { filter, only }))
  }

  records(topic: TopicRef, offsets: readonly number[]): Promise<RecordsAnswer[]> {
    return this.#counted(this.#owner.call('records', topic.name, offsets))
  }

  async record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    const [answer] = await this.records(topic, [offset])
    const bytes = recordIn(answer, 0)
    return { bytes, length: bytes.length }
  }

  offsetAt(topic: TopicRef, time: number): Promise<number> {
    return this.#counted(this.#owner.call('offsetAt', topic.name, time))
  }

  keyed(topic: TopicRef, key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer> {
    return this.#counted(this.#owner.call('keyed', topic.name, key, range))
  }

  newest(topic: TopicRef, keys: PackedKeys): Promise<NewestAnswer> {
    return this.#counted(this.#owner.call('newest', topic.name, keys))
  }

  scan(topic: TopicRef, { signal, ...request }: ScanRequest): Promise<unknown> {
    // One for each: Node warns of many who listen to the same.
    const given = AbortSignal.any(signal === undefined ? [this.#scansEnd.signal] : [signal, this.#scansEnd.signal])
    return this.#owner.callUntil(given, 'scan', topic.name, request)
  }

  /** The log closes. @param closed what scans reject with */
  endScans(closed: BookendError): void {
    this.#scansEnd.abort(closed)
  }

  /** Resolves when no read is under way. Scans are none. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }

  #counted<A>(read: Promise<A>): Promise<A> {
    this.taskCount += 1
    this.#underWay.add(read)
    const settle = () => this.#underWay.delete(read)
    read.then(settle, settle)
    return read
  }
}

/**
 * In this thread, which waits for the disk where the messages are not in memory: a read is over in the turn in which it begins. Modules run
 * in the reader threads of the owner.
 */
export class ReadsHere extends ReadsInPool {
  readonly #reading: OwnReading

  constructor(owner: OwnerParty, reading: OwnReading) {
    super(owner)
    this.#reading = reading
  }

  override chunk(task: Parameters<TopicReads['chunk']>[0]): Promise<ChunkAnswer> {
    return this.#run({ op: 'chunk', ...task })
  }

  override async records(topic: TopicRef, offsets: readonly number[]): Promise<RecordsAnswer[]> {
    return [await this.#run<RecordsAnswer>({ op: 'records', topic, offsets: Float64Array.from(offsets) })]
  }

  override async keyed(topic: TopicRef, key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer> {
    const { bytes, parts } = await this.#run<KeyedAnswers>({ op: 'keyed', topic, asked: [{ key, range }] })
    return { bytes, ...parts[0] }
  }

  override newest(topic: TopicRef, keys: PackedKeys): Promise<NewestAnswer> {
    return this.#run({ op: 'newest', topic, keys })
  }

  override offsetAt(topic: TopicRef, time: number): Promise<number> {
    return this.#run({ op: 'offsetAt', topic, time })
  }

  async #run<A>(task: LogRead): Promise<A> {
    this.taskCount += 1
    const { answer } = await this.#reading.run(task)
    if ('error' in answer) throw fromPortable(answer.error)
    return answer.value as A
  }
}
