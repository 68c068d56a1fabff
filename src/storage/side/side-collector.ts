/**
 * What a walk over a segment finds for its side index: hashes of the headers that are indexed, topic by topic, and times. Keys need no
 * collecting: the walk has a tag of each in its entries.
 */
import type { TopicIndex } from '../../engine/terms.js'
import { frameExtensionBytes, frameHeaderBytes, noKey } from '../../format/frame-layout.js'
import { headerHash, type SortedTimes } from '../../format/side-index-layout.js'
import { eachHeader, isSameString } from '../../format/stored-headers.js'
import type { LiveIndex } from '../index/live-index.js'
import type { TopicEntries } from '../index/topic-entries.js'
import { GrowingWords } from './growing-words.js'
import { TimeRows } from './time-rows.js'

/** What is indexed of a topic, by its name; undefined: nothing. */
export type WantedIndex = (topic: string) => TopicIndex | undefined

/** Rows of one header of one topic, in the order of ordinals. */
interface HeaderRows {
  readonly name: string
  /** As it is stored. */
  readonly stored: Uint8Array
  readonly hashes: GrowingWords
  readonly ordinals: GrowingWords
}

/** A section in the making. */
export interface CollectedSection {
  readonly entries: TopicEntries
  /** Undefined: of keys. */
  readonly name: string | undefined
  readonly hashes: Uint32Array
  readonly ordinals: Uint32Array
}

const encoder = new TextEncoder()

export class SideCollector {
  readonly #wanted: WantedIndex
  readonly #times = new TimeRows()
  readonly #topics = new Map<TopicEntries, readonly HeaderRows[]>()
  /** Of the record before. */
  #last: TopicEntries | undefined
  #lastRows: readonly HeaderRows[] = []
  /** The record whose headers are looked at: during a call. */
  #bytes: Uint8Array = new Uint8Array(0)
  #ordinal = 0

  constructor(wanted: WantedIndex) {
    this.#wanted = wanted
  }

  /** A batch: see {@link LiveIndex.catchUp}. */
  readonly batch = (batch: number, time: number): void => this.#times.add(batch, time)

  /** A record with key or headers: see {@link LiveIndex.catchUp}. */
  readonly record = (
    entries: TopicEntries,
    offset: number,
    bytes: Uint8Array,
    words: Uint32Array,
    frame: number,
  ): void => {
    if (entries !== this.#last) {
      this.#last = entries
      this.#lastRows = this.#rowsOf(entries)
    }
    const rows = this.#lastRows
    if (rows.length === 0) return
    const extension = frame + frameHeaderBytes
    const keyBytes = words[extension >>> 2]
    const start = extension + frameExtensionBytes + (keyBytes === noKey ? 0 : keyBytes)
    const end = start + words[(extension >>> 2) + 1]
    if (end === start || end > bytes.length) return
    this.#bytes = bytes
    this.#ordinal = offset - entries.firstOffset
    if (!eachHeader(bytes, start, end, this.#addHeader)) addParsed(rows, bytes.subarray(start, end), this.#ordinal)
  }

  /** Not a function of its own for each record: there are a million of them in a segment. */
  readonly #addHeader = (name: number, nameEnd: number, valueEnd: number): void => {
    for (const each of this.#lastRows)
      if (isSameString(this.#bytes, name, nameEnd, each.stored))
        put(each, headerHash(this.#bytes, nameEnd + 1, valueEnd), this.#ordinal)
  }

  /** Of every topic of the segment that is to be found by something and of which the segment has lost nothing. */
  sections(index: LiveIndex): CollectedSection[] {
    const sections: CollectedSection[] = []
    for (const { entries, wanted } of this.#indexed(index)) {
      if (wanted.keys === true) sections.push({ entries, name: undefined, ...taggedKeys(entries) })
      for (const { name, hashes, ordinals } of this.#rowsOf(entries))
        sections.push({ entries, name, hashes: hashes.words, ordinals: ordinals.words })
    }
    return sections
  }

  /** Of the same topics. */
  times(index: LiveIndex): SortedTimes[] {
    return this.#indexed(index).flatMap(({ entries }) => this.#times.of(entries) ?? [])
  }

  #indexed(index: LiveIndex): { entries: TopicEntries; wanted: TopicIndex }[] {
    return [...index.topics.values()]
      .sort((a, b) => a.topic - b.topic)
      .flatMap((entries) => {
        const wanted = this.#wanted(entries.name)
        return wanted === undefined || entries.count === 0 || entries.hasLost ? [] : [{ entries, wanted }]
      })
  }

  #rowsOf(entries: TopicEntries): readonly HeaderRows[] {
    let rows = this.#topics.get(entries)
    if (rows === undefined) {
      rows = (this.#wanted(entries.name)?.headers ?? []).map((name) => ({
        name,
        stored: encoder.encode(JSON.stringify(name)),
        hashes: new GrowingWords(),
        ordinals: new GrowingWords(),
      }))
      this.#topics.set(entries, rows)
    }
    return rows
  }
}

function put({ hashes, ordinals }: HeaderRows, hash: number, ordinal: number): void {
  hashes.push(hash)
  ordinals.push(ordinal)
}

/** JSON of another form than ours: whoever compares parses it as well. */
function addParsed(rows: readonly HeaderRows[], bytes: Uint8Array, ordinal: number): void {
  let headers: Record<string, unknown>
  try {
    headers = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
  } catch {
    return
  }
  for (const each of rows) {
    const value = Object.hasOwn(Object(headers), each.name) ? headers[each.name] : undefined
    if (typeof value !== 'string') continue
    const stored = encoder.encode(JSON.stringify(value))
    put(each, headerHash(stored, 0, stored.length), ordinal)
  }
}

function taggedKeys(entries: TopicEntries): { hashes: Uint32Array; ordinals: Uint32Array } {
  const hashes = new GrowingWords()
  const ordinals = new GrowingWords()
  for (let ordinal = 0; ordinal < entries.count; ordinal++) {
    const tag = entries.tagOf(ordinal)
    if (tag === 0) continue
    hashes.push(tag)
    ordinals.push(ordinal)
  }
  return { hashes: hashes.words, ordinals: ordinals.words }
}
