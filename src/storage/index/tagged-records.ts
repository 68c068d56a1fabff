/**
 * Records whose keys may be one that is looked for, by the tags in the index of their segment: by chains through a derived index, and where there
 * are none by a look at its entries, which were summed up before if they are stored. Of what entries lead to each is checked, and not what they
 * keep silent about.
 */
import { entryWord, type SegmentFooter } from '../../format/segment-layout.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { Catalog } from './catalog.js'
import { entriesMatch } from './entries-match.js'
import { TagChains } from './tag-chains.js'
import type { TopicEntries } from './topic-entries.js'

const { perEntry } = entryWord

/** Records of a topic in one segment. */
export interface SearchedPart {
  readonly segment: number
  readonly first: number
  readonly end: number
}

export class TaggedRecords {
  readonly #catalog: Catalog
  readonly #windows: SegmentWindows
  /** Of derived indexes in which somebody has looked for a key. */
  readonly #chains = new WeakMap<TopicEntries, TagChains>()
  /** Of segments whose entries were found as they were written. */
  readonly #summedUp = new WeakSet<SegmentFooter>()

  constructor(catalog: Catalog, windows: SegmentWindows) {
    this.#catalog = catalog
    this.#windows = windows
  }

  /** The newest `max` offsets of the part whose keys have the tag, ascending; undefined: its index is a stored one. */
  chained(topic: number, tag: number, { segment, first, end }: SearchedPart, max: number): number[] | undefined {
    const entries = this.#catalog.derived(segment, topic)
    if (entries === undefined) return undefined
    const { firstOffset, count } = entries
    if (first < firstOffset || end > firstOffset + count) return undefined
    let chains = this.#chains.get(entries)
    if (chains === undefined) {
      chains = new TagChains()
      this.#chains.set(entries, chains)
    }
    const ordinals = chains.tagged(entries, tag, first - firstOffset, end - firstOffset, max)
    return ordinals.map((ordinal) => ordinal + firstOffset)
  }

  /** Tags of all records of the part, in their order, 0 for none; undefined: no segment knows all its records. */
  listed(topic: number, { segment, first, end }: SearchedPart): Uint32Array | undefined {
    this.#check(segment)
    const words = this.#catalog.entriesFrom(topic, first, end - first)
    if (words === undefined || words.length < (end - first) * perEntry) return undefined
    const tags = new Uint32Array(end - first)
    for (let index = 0, at = entryWord.tag; index < tags.length; index++, at += perEntry) tags[index] = words[at]
    return tags
  }

  /** Entries that are not as they were written are derived from the batches from now on. */
  #check(segment: number): void {
    const footer = this.#catalog.footerOf(segment)
    if (footer === undefined || this.#summedUp.has(footer)) return
    if (this.#windows.with(segment, ({ window }) => entriesMatch(window, footer))) this.#summedUp.add(footer)
    else this.#catalog.distrust(segment)
  }
}
