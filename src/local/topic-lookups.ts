/** Messages of one topic that are looked up, by offset or by key: what is in memory by this thread, the rest by others. */

import type { KeyBelow, PackedKeys } from '../collections/packed-keys.js'
import type { HotReads } from '../dispatcher/reads/hot-reads.js'
import type { TopicReads } from '../dispatcher/reads/topic-reads.js'
import { TurnQuestions } from '../dispatcher/reads/turn-questions.js'
import type { TopicHandle } from '../dispatcher/topic-directory.js'
import type { AskedRecords, KeyedPart, KeyedRange } from '../engine/engine.js'
import { assert } from '../errors.js'
import { type RecordPlace, recordAt } from '../messages/chunk-cursor.js'
import type { KeyedAnswer, NewestAnswer, RecordsAnswer, TopicRef } from '../threads/reader/reader.js'
import { KnownKeys } from './known-keys.js'
import { newestOffsets } from './newest-offsets.js'

export interface TopicLookupsParts {
  readonly reads: Pick<TopicReads, 'records' | 'record' | 'keyed' | 'newest'>
  /** Undefined: this thread reads nothing itself. */
  readonly hot: HotReads | undefined
  /** What of the topic can be read. */
  first(): number
  next(): number
}

export class TopicLookups {
  readonly #handle: TopicHandle
  readonly #parts: TopicLookupsParts
  readonly #knownKeys: KnownKeys
  readonly #newest: TurnQuestions<KeyBelow, number | undefined>

  constructor(handle: TopicHandle, parts: TopicLookupsParts) {
    this.#handle = handle
    this.#parts = parts
    this.#knownKeys = new KnownKeys({
      first: () => parts.first(),
      search: (key, range) => this.#keyedPart(key, range),
      record: (offset) => this.#lone(offset),
    })
    this.#newest = new TurnQuestions({
      ask: (topic, asked) => newestOffsets(asked, (keys) => parts.reads.newest(topic, keys)),
      perTask: (count) => count,
    })
  }

  records(offsets: readonly number[]): AskedRecords | Promise<AskedRecords> {
    if (!this.#handle.isInLog) return offsets.map(() => undefined)
    if (offsets.length !== 1) return this.#many(offsets)
    const lone = this.#lone(offsets[0])
    return lone instanceof Promise ? lone.then((record) => [record]) : [lone]
  }

  async #many(offsets: readonly number[]): Promise<AskedRecords> {
    const { hot } = this.#parts
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

  /** As they come from whoever reads. */
  answers(offsets: readonly number[]): Promise<RecordsAnswer[]> {
    return this.#parts.reads.records(this.#ref(), offsets)
  }

  /** The same of one. Lone lookups of one turn travel together. */
  record(offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    return this.#parts.reads.record(this.#ref(), offset)
  }

  keyed(key: Uint8Array, range: KeyedRange): Promise<KeyedPart> {
    return range.max === 1 && range.isReverse ? this.#knownKeys.last(key, range) : this.#keyedPart(key, range)
  }

  /** As it comes from whoever reads. */
  async keyedAnswer(key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer> {
    if (this.#handle.isInLog) return this.#parts.reads.keyed(this.#ref(), key, range)
    return { bytes: new Uint8Array(0), starts: new Float64Array(0), offsets: [], from: range.to, to: range.to }
  }

  /** Offset of the last message with the key below `to`; undefined: there is none. What is asked in one turn is looked for together. */
  async lastOf(key: Uint8Array, to: number): Promise<number | undefined> {
    return this.#handle.isInLog ? this.#newest.ask(this.#ref(), { key, to }) : undefined
  }

  /** As it comes from whoever reads: one step. */
  async newestAnswer(keys: PackedKeys): Promise<NewestAnswer> {
    assert(this.#handle.isInLog, 'what is looked for below an offset is in the log')
    return this.#parts.reads.newest(this.#ref(), keys)
  }

  async #foundHere(hot: HotReads, offsets: readonly number[]): Promise<(RecordPlace | undefined)[]> {
    const [first, next] = [this.#parts.first(), this.#parts.next()]
    const places: (RecordPlace | undefined)[] = await hot.records(this.#handle.id, offsets, first, next)
    const missing: number[] = []
    for (let index = 0; index < offsets.length; index++)
      if (places[index] === undefined && offsets[index] >= first && offsets[index] < next) missing.push(index)
    if (missing.length === 0) return places
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

  /** At once where this thread finds it and the event loop has had its turn. */
  #lone(offset: number): RecordPlace | undefined | Promise<RecordPlace | undefined> {
    if (offset < this.#parts.first() || offset >= this.#parts.next()) return undefined
    return this.#parts.hot?.record(this.#handle.id, offset) ?? this.#fetchedAlone(offset)
  }

  async #fetchedAlone(offset: number): Promise<RecordPlace | undefined> {
    const { bytes, length } = await this.record(offset)
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    return length === 0 ? undefined : this.#placeAt(bytes, words, 0, offset)
  }

  async #keyedPart(key: Uint8Array, range: KeyedRange): Promise<KeyedPart> {
    const answer = await this.keyedAnswer(key, range)
    const { offsets, from, to } = answer
    const records: RecordPlace[] = []
    if (offsets.length > 0) this.#addPlaces(answer, offsets, records)
    return { records, from, to }
  }

  /** Where the records of an answer stand, in the order in which they were asked for. */
  #addPlaces({ bytes, starts }: RecordsAnswer, offsets: readonly number[], places: (RecordPlace | undefined)[]): void {
    const words = new Uint32Array(bytes.buffer)
    for (const start of starts)
      places.push(start < 0 ? undefined : this.#placeAt(bytes, words, start, offsets[places.length]))
  }

  #placeAt(bytes: Uint8Array, words: Uint32Array, at: number, offset: number): RecordPlace {
    try {
      return recordAt(bytes, words, this.#handle.id, at, offset)
    } catch (error) {
      throw Object.assign(error as Error, { topic: this.#handle.name })
    }
  }

  /** As tasks for other threads carry it. */
  #ref(): TopicRef {
    return { id: this.#handle.id, name: this.#handle.name }
  }
}
