/**
 * Pages of stored indexes that lookups have used, in memory of this thread. Each entry would cost a call to the kernel otherwise, as
 * much as its record does. Entries are hints, checked against what they lead to, and what is stored does not change: a page is never
 * wrong, only no longer wanted.
 */
import { KeptPages } from '../../collections/kept-pages.js'
import { assert } from '../../errors.js'
import { entryBytes, entryWord } from '../../format/segment-layout.js'
import { indexPageBytes, maxIndexPages, maxSegmentBytes } from '../../limits.js'
import type { Window } from '../../memory/memory.js'

/** What of a pinned window is needed. */
export interface IndexedSegment {
  readonly segment: number
  readonly window: Pick<Window, 'byteLength' | 'readInto'>
}

/** Keeps the pages of all segments apart in one number. */
const pagesPerSegment = maxSegmentBytes / indexPageBytes
const pageWords = indexPageBytes / Uint32Array.BYTES_PER_ELEMENT
/** Memory for so many at first. */
const firstPages = 16

export class IndexPages {
  /** The first word of each. */
  readonly #pages = new KeptPages<number>(maxIndexPages)
  /** Places for pages that were ever taken. */
  #count = 0
  /** A place that was taken for a page that could not be read. */
  #spare: number | undefined
  /** All pages in one array: one for each is a line more that is in no cache. Another one where they grow: to be looked at behind {@link find}. */
  words = new Uint32Array(0)

  /**
   * Finds an entry of a sealed segment: its first word is `words[find(...)]`.
   * @param entriesAt where the entries of its topic start in the segment
   */
  find(pinned: IndexedSegment, entriesAt: number, entry: number): number {
    // Entries are aligned to 8 bytes only; from here on none of the segment straddles two pages.
    const shift = entriesAt % entryBytes
    const at = entriesAt + entry * entryBytes - shift
    const page = Math.floor(at / indexPageBytes)
    const key = pinned.segment * pagesPerSegment + page
    const first = this.#pages.get(key) ?? this.#load(pinned, key, page * indexPageBytes + shift)
    return first + ((at - page * indexPageBytes) / entryBytes) * entryWord.perEntry
  }

  clear(): void {
    this.#pages.clear()
    this.#count = 0
    this.#spare = undefined
    this.words = new Uint32Array(0)
  }

  #load({ window }: IndexedSegment, key: number, at: number): number {
    // The oldest page is gone from here on, whether this one can be read or not.
    const first = this.#spare ?? this.#pages.takeOldest() ?? this.#newPlace()
    this.#spare = first
    const target = new Uint8Array(this.words.buffer, first * Uint32Array.BYTES_PER_ELEMENT, indexPageBytes)
    window.readInto(target, 0, at, Math.min(indexPageBytes, window.byteLength - at))
    this.#spare = undefined
    this.#pages.keep(key, first)
    return first
  }

  #newPlace(): number {
    assert(this.#count < maxIndexPages, 'no more pages are kept than there may be')
    const first = this.#count * pageWords
    this.#count += 1
    if (first < this.words.length) return first
    const words = new Uint32Array(Math.min(maxIndexPages, Math.max(firstPages, 2 * (this.#count - 1))) * pageWords)
    words.set(this.words)
    this.words = words
    return first
  }
}
