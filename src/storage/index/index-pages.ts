/**
 * Pages of stored indexes that lookups have used, in memory of this thread. Each entry would cost a call to the kernel otherwise, as
 * much as its record does. Entries are hints, checked against what they lead to, and what is stored does not change: a page is never
 * wrong, only no longer wanted.
 */
import { KeptPages } from '../../collections/kept-pages.js'
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

export class IndexPages {
  readonly #pages = new KeptPages(maxIndexPages)
  /** The page that {@link find} found. */
  words: Uint32Array = new Uint32Array(0)

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
    this.words = this.#pages.get(key) ?? this.#load(pinned, key, page * indexPageBytes + shift)
    return ((at - page * indexPageBytes) / entryBytes) * entryWord.perEntry
  }

  clear(): void {
    this.#pages.clear()
    this.words = new Uint32Array(0)
  }

  #load({ window }: IndexedSegment, key: number, at: number): Uint32Array<ArrayBuffer> {
    const words = this.#pages.takeOldest() ?? new Uint32Array(indexPageBytes / Uint32Array.BYTES_PER_ELEMENT)
    window.readInto(new Uint8Array(words.buffer), 0, at, Math.min(indexPageBytes, window.byteLength - at))
    this.#pages.keep(key, words)
    return words
  }
}
