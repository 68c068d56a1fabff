/** A topic of the local engine: who of the dispatcher and the threads does what is asked of it. */
import type { AppendSide } from '../dispatcher/appends/append-side.js'
import { copyOf, copyOfExtras } from '../dispatcher/appends/group-frames.js'
import type { FeedSource } from '../dispatcher/groups/group-feed.js'
import { ChunkReader, type ChunkSource, type ChunksInTurn } from '../dispatcher/reads/chunk-reader.js'
import type { HotReads } from '../dispatcher/reads/hot-reads.js'
import type { RecentMessages } from '../dispatcher/reads/recent-messages.js'
import type { TopicReads } from '../dispatcher/reads/topic-reads.js'
import type { TurnPace } from '../dispatcher/reads/turn-pace.js'
import type { TopicHandle } from '../dispatcher/topic-directory.js'
import type { EngineTopic, KeyedPart, KeyedRange, MessageReader, ReadRange, ScanRequest } from '../engine/engine.js'
import type { EngineGroup } from '../engine/group-seat.js'
import type { Bounds, Condition, Durability, Extras, Payload, Retention, TopicIndex } from '../engine/terms.js'
import { assert } from '../errors.js'
import { trimmedError } from '../failures.js'
import { type RecordPlace, recordAt } from '../messages/chunk-cursor.js'
import { HeaderMatcher } from '../messages/header-matcher.js'
import { SelectedRecords } from '../messages/selected-records.js'
import type { ChunkAnswer, KeyedAnswer, RecordsAnswer } from '../threads/reader/reader.js'
import { withVersions } from './key-versions.js'
import { KnownKeys } from './known-keys.js'
import type { LocalGroup } from './local-group.js'
import type { LogEvents } from './log-events.js'
import type { LogStage } from './log-stage.js'

/** The way into the log, and what a thread sees of what is published. */
export type TopicAppends = Pick<
  AppendSide,
  'append' | 'appendMany' | 'offer' | 'ready' | 'published' | 'firstOf' | 'nextOf' | 'whenNext'
>

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
  readonly #knownKeys: KnownKeys

  constructor(handle: TopicHandle, host: TopicHost<G>) {
    this.handle = handle
    this.#host = host
    this.#knownKeys = new KnownKeys({
      first: () => this.first(),
      search: (key, range) => this.#keyedPart(key, range),
      record: (offset) => this.#lone(offset),
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
        : this.#appendVersion([copyOf(value)], extras, level, condition)
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

  /** @param values nobody changes them any more */
  #appendVersion(
    values: readonly Payload[],
    given: Extras | undefined,
    level: Durability,
    condition: Condition,
  ): Promise<number> {
    const { appends } = this.#host
    const extras = copyOfExtras(given)
    return withVersions(
      [{ topic: this, extras, condition }],
      ([guard]) => appends.appendMany(this.handle, values, extras, level, guard),
      () => appends.published(),
    )
  }

  /** Offset of the last message with the key below `to`; undefined: there is none. */
  async lastOf(key: Uint8Array, to: number): Promise<number | undefined> {
    for (let range = { from: 0, to, max: 1, isReverse: true }; range.from < range.to; ) {
      const { offsets, ...rest } = await this.keyedAnswer(key, range)
      if (offsets.length > 0) return offsets[0]
      range = { ...range, from: rest.from, to: rest.to }
    }
    return undefined
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
    return this.#host.appends.firstOf(this.handle)
  }

  next(): number {
    return this.#host.appends.nextOf(this.handle)
  }

  async bounds(): Promise<Bounds> {
    return { first: this.first(), next: this.next() }
  }

  read(range: ReadRange): MessageReader {
    return new ChunkReader(this, range, range.filter && new HeaderMatcher(range.filter))
  }

  async records(offsets: readonly number[]): Promise<(RecordPlace | undefined)[]> {
    if (!this.handle.isInLog) return offsets.map(() => undefined)
    if (offsets.length === 1) return [await this.#lone(offsets[0])]
    const { hot } = this.#host
    const mine = hot?.shareOf(offsets.length) ?? 0
    if (hot === undefined || mine === 0) return this.#fetched(offsets)
    if (mine === offsets.length) return this.#foundHere(hot, offsets)
    // The others' part is on its way before this thread is busy with its own.
    const theirs = this.#fetched(offsets.slice(mine))
    // It may fail before anybody waits for it.
    theirs.catch(() => {})
    const here = await this.#foundHere(hot, offsets.slice(0, mine))
    return here.concat(await theirs)
  }

  /** What is in memory by this thread, the rest by others. */
  async #foundHere(hot: HotReads, offsets: readonly number[]): Promise<(RecordPlace | undefined)[]> {
    const [first, next] = [this.first(), this.next()]
    const places: (RecordPlace | undefined)[] = await hot.records(this.handle.id, offsets, first, next)
    const missing = offsets.flatMap((offset, index) =>
      places[index] === undefined && offset >= first && offset < next ? [index] : [],
    )
    const fetched = await this.#fetched(missing.map((index) => offsets[index]))
    missing.forEach((index, at) => {
      places[index] = fetched[at]
    })
    return places
  }

  async #fetched(offsets: readonly number[]): Promise<(RecordPlace | undefined)[]> {
    const places: (RecordPlace | undefined)[] = []
    if (offsets.length === 0) return places
    for (const answer of await this.answers(offsets)) this.#addPlaces(answer, offsets, places)
    assert(places.length === offsets.length, 'reader threads answer for every offset')
    return places
  }

  /** As they come from whoever reads. */
  answers(offsets: readonly number[]): Promise<RecordsAnswer[]> {
    return this.#host.reads.records(this.#ref, offsets)
  }

  /** Lone lookups that go to a reader thread in the same turn travel together. */
  async #lone(offset: number): Promise<RecordPlace | undefined> {
    if (offset < this.first() || offset >= this.next()) return undefined
    const found = this.#host.hot?.record(this.handle.id, offset)
    if (found !== undefined) return found
    const { bytes, length } = await this.record(offset)
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    return length === 0 ? undefined : this.#placeAt(bytes, words, 0, offset)
  }

  keyed(key: Uint8Array, range: KeyedRange): Promise<KeyedPart> {
    return range.max === 1 && range.isReverse ? this.#knownKeys.last(key, range) : this.#keyedPart(key, range)
  }

  async #keyedPart(key: Uint8Array, range: KeyedRange): Promise<KeyedPart> {
    const answer = await this.keyedAnswer(key, range)
    const { offsets, from, to } = answer
    const records: RecordPlace[] = []
    if (offsets.length > 0) this.#addPlaces(answer, offsets, records)
    return { records, from, to }
  }

  /** As it comes from whoever reads. */
  async keyedAnswer(key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer> {
    if (this.handle.isInLog) return this.#host.reads.keyed(this.#ref, key, range)
    return { bytes: new Uint8Array(0), starts: new Float64Array(0), offsets: [], from: range.to, to: range.to }
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
    const cancel = appends.whenNext(this.handle, offset, settle, (error) => {
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
    matcher?: HeaderMatcher,
  ): Promise<ChunkAnswer> {
    const { recent, hot, reads, pace } = this.#host
    const first = this.first()
    if (offset < first) return Promise.reject(trimmedError(this.name, offset, first))
    const id = this.handle.id
    const fresh = recent?.chunk(id, offset, to)
    if (fresh !== undefined) return pace.take(selectedFrom({ ...fresh, resume: undefined }, id, offset, matcher))
    // Whoever reads the newest message is likely to come for the next one, waiting or not.
    if (offset === this.next() - 1) recent?.watch(id)
    // Who comes for the next chunk has one under way.
    const found = resume === undefined ? hot?.chunk(id, offset, to) : undefined
    if (found !== undefined) return pace.take(selectedFrom(found, id, offset, matcher))
    const filter = matcher?.filter
    return reads.chunk({ topic: this.#ref, offset, to, resume, count, filter }).then((chunk) => pace.take(chunk))
  }

  chunksInTurn(): ChunksInTurn | undefined {
    return this.#host.hot?.chunksInTurn(this.handle.id)
  }

  paced(chunk: ChunkAnswer): Promise<ChunkAnswer> {
    return this.#host.pace.take(chunk)
  }

  record(offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    return this.#host.reads.record(this.#ref, offset)
  }

  checkOpen(): void {
    this.#host.stage.checkOpen()
  }

  /** Longer ones were refused by the face, before anything was written. A string has as many bytes as it is long, or more. */
  #assertFits(value: Payload, extras: Extras | undefined): void {
    const more = extras === undefined ? 0 : (extras.key?.length ?? 0) + (extras.headers?.length ?? 0)
    assert(value.length + more <= this.#host.messageBytesLimit, 'a segment holds the message')
  }

  /** As tasks for other threads carry it. */
  get #ref(): { id: number; name: string } {
    return { id: this.handle.id, name: this.name }
  }

  /** Where the records of an answer stand, in the order in which they were asked for. */
  #addPlaces({ bytes, starts }: RecordsAnswer, offsets: readonly number[], places: (RecordPlace | undefined)[]): void {
    const words = new Uint32Array(bytes.buffer)
    for (const start of starts)
      places.push(start < 0 ? undefined : this.#placeAt(bytes, words, start, offsets[places.length]))
  }

  #placeAt(bytes: Uint8Array, words: Uint32Array, at: number, offset: number): RecordPlace {
    try {
      return recordAt(bytes, words, this.handle.id, at, offset)
    } catch (error) {
      throw Object.assign(error as Error, { topic: this.name })
    }
  }
}

/** What is in the memory of this thread is looked through by this thread. */
function selectedFrom(
  chunk: ChunkAnswer,
  topic: number,
  from: number,
  matcher: HeaderMatcher | undefined,
): ChunkAnswer {
  if (matcher === undefined) return chunk
  const found = new SelectedRecords(topic, matcher, from)
  found.add(chunk.bytes, chunk.next)
  const { bytes, to } = found.take()
  return { bytes, next: chunk.next, resume: chunk.resume, to }
}

function bytesOf(value: Payload): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length
}
