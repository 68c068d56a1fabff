/** A topic of the local engine: who of the dispatcher and the threads does what is asked of it. */

import type { PackedKeys } from '../collections/packed-keys.js'
import type { AppendSide } from '../dispatcher/appends/append-side.js'
import type { PublishedMessages } from '../dispatcher/appends/published-messages.js'
import type { FeedSource } from '../dispatcher/groups/group-feed.js'
import { ChunkReader, type ChunkSource, type ChunksInTurn } from '../dispatcher/reads/chunk-reader.js'
import type { HotReads } from '../dispatcher/reads/hot-reads.js'
import type { RecentMessages } from '../dispatcher/reads/recent-messages.js'
import type { TopicReads } from '../dispatcher/reads/topic-reads.js'
import type { TurnPace } from '../dispatcher/reads/turn-pace.js'
import type { TopicHandle } from '../dispatcher/topic-directory.js'
import type {
  AskedRecords,
  EngineTopic,
  KeyedPart,
  KeyedRange,
  MessageReader,
  ReadRange,
  ScanRequest,
} from '../engine/engine.js'
import type { EngineGroup } from '../engine/group-seat.js'
import type { Bounds, Condition, Durability, Extras, Payload, Retention, TopicIndex } from '../engine/terms.js'
import { assert } from '../errors.js'
import { trimmedError } from '../failures.js'
import { extrasLength } from '../messages/id-extras.js'
import { copyOf, copyOfExtras } from '../messages/own-copies.js'
import { SelectedRecords } from '../messages/selected-records.js'
import { type RecordSelection, selectionOf } from '../messages/selection.js'
import type { ChunkAnswer, KeyedAnswer, NewestAnswer, RecordsAnswer } from '../threads/reader/reader.js'
import { withVersions } from './key-versions.js'
import type { LocalGroup } from './local-group.js'
import type { LogEvents } from './log-events.js'
import type { LogStage } from './log-stage.js'
import { TopicLookups } from './topic-lookups.js'

/** The way into the log, and what a thread sees of what is published. */
export interface TopicAppends extends Pick<AppendSide, 'append' | 'appendMany' | 'offer' | 'ready' | 'published'> {
  readonly messages: Pick<PublishedMessages, 'firstOf' | 'nextOf' | 'whenNext'>
}

/** What a topic needs of its log. @typeParam G the groups of this thread's engine */
export interface TopicHost<G extends EngineGroup = LocalGroup> {
  readonly appends: TopicAppends
  readonly reads: TopicReads
  /** Undefined: nobody looks for messages in the ring. */
  readonly recent: RecentMessages | undefined
  /** Undefined: this thread reads nothing itself. */
  readonly hot: HotReads | undefined
  readonly pace: TurnPace
  readonly events: LogEvents
  readonly stage: LogStage
  readonly limits: {
    trim(topic: LocalTopic<G>, before: number): Promise<void>
    retain(topic: string, retention: Retention, isAddition: boolean): void
  }
  readonly indexes: { want(topic: string, index: TopicIndex): void }
  newGroup(topic: LocalTopic<G>, name: string): G
  /** See {@link EngineTopic.keepState}. */
  keepState(): () => void
  /** Something in the log expires. */
  mayExpire(): boolean
  /** Of the longest value with key and headers that a segment holds. */
  readonly messageBytesLimit: number
}

export class LocalTopic<G extends EngineGroup = LocalGroup> implements EngineTopic, ChunkSource, FeedSource {
  readonly handle: TopicHandle
  readonly #host: TopicHost<G>
  readonly #groups = new Map<string, G>()
  readonly #lookups: TopicLookups

  constructor(handle: TopicHandle, host: TopicHost<G>) {
    this.handle = handle
    this.#host = host
    this.#lookups = new TopicLookups(handle, {
      ...{ reads: host.reads, hot: host.hot },
      first: () => this.first(),
      next: () => this.next(),
    })
  }

  get name(): string {
    return this.handle.name
  }

  get mayExpire(): boolean {
    return this.#host.mayExpire()
  }

  append(value: Payload, extras: Extras | undefined, level: Durability, condition?: Condition): Promise<number> {
    const { appends, events } = this.#host
    this.#host.stage.checkWritable()
    this.#assertFits(value, extras)
    const done =
      condition?.expectedVersion === undefined
        ? appends.append(this.handle, value, extras, level, condition)
        : this.#appendVersion([value], extras, level, condition)
    if (events.wantsAppends) events.append(this.name, 1, bytesOf(value), done)
    return done
  }

  appendMany(
    values: readonly Payload[],
    extras: Extras | undefined,
    level: Durability,
    condition?: Condition,
  ): Promise<number> {
    const { appends, events } = this.#host
    this.#host.stage.checkWritable()
    // That a segment holds them all is for the append side to say: it counts them.
    const done =
      condition?.expectedVersion === undefined
        ? appends.appendMany(this.handle, values, extras, level, condition)
        : this.#appendVersion(values, extras, level, condition)
    if (events.wantsAppends) {
      const bytes = values.reduce((sum, value) => sum + bytesOf(value), 0)
      events.append(this.name, values.length, bytes, done)
    }
    return done
  }

  #appendVersion(
    given: readonly Payload[],
    givenExtras: Extras | undefined,
    level: Durability,
    condition: Condition,
  ): Promise<number> {
    const { appends } = this.#host
    // The caller may use its buffers again while the key is looked up.
    const values = given.map((value) => copyOf(value))
    const extras = copyOfExtras(givenExtras)
    return withVersions(
      [{ topic: this, extras, condition }],
      ([guard]) => appends.appendMany(this.handle, values, extras, level, guard),
      () => appends.published(),
    )
  }

  offer(value: Payload, extras: Extras | undefined): boolean {
    this.#host.stage.checkWritable()
    this.#assertFits(value, extras)
    return this.#host.appends.offer(this.handle, value, extras)
  }

  ready(): Promise<void> {
    this.#host.stage.checkWritable()
    return this.#host.appends.ready(this.handle)
  }

  first(): number {
    return this.#host.appends.messages.firstOf(this.handle)
  }

  next(): number {
    return this.#host.appends.messages.nextOf(this.handle)
  }

  async bounds(): Promise<Bounds> {
    return { first: this.first(), next: this.next() }
  }

  read(range: ReadRange): MessageReader {
    return new ChunkReader(this, range, selectionOf(range))
  }

  records(offsets: readonly number[]): AskedRecords | Promise<AskedRecords> {
    return this.#lookups.records(offsets)
  }

  /** As they come from whoever reads. */
  answers(offsets: readonly number[]): Promise<RecordsAnswer[]> {
    return this.#lookups.answers(offsets)
  }

  record(offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    return this.#lookups.record(offset)
  }

  keyed(key: Uint8Array, range: KeyedRange): Promise<KeyedPart> {
    return this.#lookups.keyed(key, range)
  }

  /** As it comes from whoever reads. */
  keyedAnswer(key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer> {
    return this.#lookups.keyedAnswer(key, range)
  }

  /** As it comes from whoever reads. */
  newestAnswer(keys: PackedKeys): Promise<NewestAnswer> {
    return this.#lookups.newestAnswer(keys)
  }

  /** Offset of the last message with the key below `to`; undefined: there is none. */
  lastOf(key: Uint8Array, to: number): Promise<number | undefined> {
    return this.#lookups.lastOf(key, to)
  }

  async offsetAt(time: number): Promise<number> {
    if (!this.handle.isInLog) return 0
    const offset = await this.#host.reads.offsetAt(this.#ref, time)
    assert(offset <= this.next(), 'the time of a message leads to that message, or to the next one')
    return offset
  }

  scan(request: ScanRequest): Promise<unknown> {
    return this.#host.reads.scan(this.#ref, request)
  }

  trim(before: number): Promise<void> {
    assert(Number.isSafeInteger(before) && before >= 0, 'a topic is trimmed below an offset')
    return this.#host.limits.trim(this, before)
  }

  retain(retention: Retention, isAddition: boolean): void {
    // What supersedes what is found by keys.
    if (retention.compact === true) this.index({ keys: true })
    this.#host.limits.retain(this.name, retention, isAddition)
  }

  keepState(): () => void {
    return this.#host.keepState()
  }

  index(index: TopicIndex): void {
    this.#host.indexes.want(this.name, index)
  }

  group(name: string): G {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = this.#host.newGroup(this, name)
      this.#groups.set(name, group)
    }
    return group
  }

  /**
   * Calls `resolve` once when there is a message at `offset` or the log closes, `reject` when there will never be one. Returns what
   * cancels.
   */
  whenNext(offset: number, resolve: () => void, reject: (error: unknown) => void): () => void {
    const { stage, recent, appends } = this.#host
    const { onClose } = stage
    const settle = () => {
      onClose.delete(settle)
      resolve()
    }
    onClose.add(settle)
    // Whoever waits at the end of a topic gets what comes next out of the ring.
    recent?.watch(this.handle.id)
    const cancel = appends.messages.whenNext(this.handle, offset, settle, (error) => {
      onClose.delete(settle)
      reject(error)
    })
    return () => {
      onClose.delete(settle)
      cancel()
    }
  }

  chunk(
    offset: number,
    to: number,
    resume: ChunkAnswer['resume'],
    count?: number,
    selection?: RecordSelection,
  ): Promise<ChunkAnswer> {
    const { recent, hot, reads, pace } = this.#host
    const first = this.first()
    if (offset < first) return Promise.reject(trimmedError(this.name, offset, first))
    const id = this.handle.id
    const fresh = recent?.chunk(id, offset, to)
    if (fresh !== undefined) return pace.take(selectedFrom({ ...fresh, resume: undefined }, id, offset, selection))
    // Whoever reads the newest message is likely to come for the next one, waiting or not.
    if (offset === this.next() - 1) recent?.watch(id)
    // Who comes for the next chunk has one under way.
    const found = resume === undefined ? hot?.chunk(id, offset, to) : undefined
    if (found !== undefined) return pace.take(selectedFrom(found, id, offset, selection))
    const { filter, only } = selection ?? {}
    return reads.chunk({ topic: this.#ref, offset, to, resume, count, filter, only }).then((chunk) => pace.take(chunk))
  }

  chunksInTurn(): ChunksInTurn | undefined {
    return this.#host.hot?.chunksInTurn(this.handle.id)
  }

  paced(chunk: ChunkAnswer): Promise<ChunkAnswer> {
    return this.#host.pace.take(chunk)
  }

  checkOpen(): void {
    this.#host.stage.checkOpen()
  }

  /** Longer ones were refused by the face, before anything was written. A string has as many bytes as it is long, or more. */
  #assertFits(value: Payload, extras: Extras | undefined): void {
    const more = extras === undefined ? 0 : extrasLength(extras)
    assert(value.length + more <= this.#host.messageBytesLimit, 'a segment holds the message')
  }

  /** As tasks for other threads carry it. */
  get #ref(): { id: number; name: string } {
    return { id: this.handle.id, name: this.name }
  }
}

/** What is in the memory of this thread is looked through by this thread. */
function selectedFrom(
  chunk: ChunkAnswer,
  topic: number,
  from: number,
  selection: RecordSelection | undefined,
): ChunkAnswer {
  if (selection === undefined) return chunk
  const found = new SelectedRecords(topic, selection, from)
  found.add(chunk.bytes, chunk.next)
  const { bytes, to } = found.take()
  return { bytes, next: chunk.next, resume: chunk.resume, to }
}

function bytesOf(value: Payload): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length
}
