/**
 * What a walk over a segment finds for its side index: hashes of the headers that are indexed, topic by topic, and times. Keys need no
 * collecting: the walk has a tag of each in its entries.
 */
import type { TopicIndex } from '../../engine/terms.js'
import { frameExtensionBytes, frameHeaderBytes, noKey } from '../../format/frame-layout.js'
import type { SortedTimes } from '../../format/side-index-layout.js'
import type { LiveIndex } from '../index/live-index.js'
import type { TopicEntries } from '../index/topic-entries.js'
import { GrowingRows } from './growing-rows.js'
import { HeaderRows } from './header-rows.js'
import { TimeRows } from './time-rows.js'

/** What is indexed of a topic, by its name; undefined: nothing. */
export type WantedIndex = (topic: string) => TopicIndex | undefined

/** A section in the making. */
export interface CollectedSection {
  readonly entries: TopicEntries
  /** Undefined: of keys. */
  readonly name: string | undefined
  /** Hash and ordinal of each, in the order of ordinals. */
  readonly rowWords: Uint32Array
}

export class SideCollector {
  readonly #wanted: WantedIndex
  readonly #times = new TimeRows()
  readonly #topics = new Map<TopicEntries, HeaderRows>()
  /** Of the record before. */
  #last: TopicEntries | undefined
  #lastRows = new HeaderRows([])

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
    if (this.#lastRows.byHeader.length === 0) return
    const extension = frame + frameHeaderBytes
    const keyBytes = words[extension >>> 2]
    const start = extension + frameExtensionBytes + (keyBytes === noKey ? 0 : keyBytes)
    const end = start + words[(extension >>> 2) + 1]
    if (end === start || end > bytes.length) return
    this.#lastRows.add(bytes, start, end, offset - entries.firstOffset)
  }

  /** Of every topic of the segment that is to be found by something and of which the segment has lost nothing. */
  sections(index: LiveIndex): CollectedSection[] {
    const sections: CollectedSection[] = []
    for (const { entries, wanted } of this.#indexed(index)) {
      if (wanted.keys === true) sections.push({ entries, name: undefined, rowWords: taggedKeys(entries) })
      for (const { name, rows } of this.#rowsOf(entries).byHeader)
        sections.push({ entries, name, rowWords: rows.words })
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

  #rowsOf(entries: TopicEntries): HeaderRows {
    let rows = this.#topics.get(entries)
    if (rows === undefined) {
      rows = new HeaderRows(this.#wanted(entries.name)?.headers ?? [])
      this.#topics.set(entries, rows)
    }
    return rows
  }
}

function taggedKeys(entries: TopicEntries): Uint32Array {
  const rows = new GrowingRows(new Uint32Array(2 * entries.count))
  for (let ordinal = 0; ordinal < entries.count; ordinal++) {
    const tag = entries.tagOf(ordinal)
    if (tag !== 0) rows.add(tag, ordinal)
  }
  return rows.words
}
