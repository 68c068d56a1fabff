/** Entries of a topic's records in the index that a sealed segment carries. */
import { entryBytes, entryWord } from '../../format/segment-layout.js'
import type { Window } from '../../memory/memory.js'
import type { SealedStretch } from './sealed-stretches.js'

export interface Place {
  segment: number
  /** Relative positions; both zero: the record was lost to damage. */
  batch: number
  frame: number
}

export const pageBytes = 4096

type EntryWindow = Pick<Window, 'read'>

export function entriesIn(
  { firstOffset, count: all, entriesAt }: SealedStretch,
  window: EntryWindow,
  offset: number,
  count: number,
): Uint32Array {
  const skip = offset - firstOffset
  return new Uint32Array(window.read(entriesAt + skip * entryBytes, Math.min(count, all - skip) * entryBytes).buffer)
}

export function placesIn(stretch: SealedStretch, window: EntryWindow, offset: number, count: number): Place[] {
  const words = entriesIn(stretch, window, offset, count)
  const places: Place[] = []
  for (let at = 0; at < words.length; at += entryWord.perEntry) places.push(placeAt(words, at, stretch.segment))
  return places
}

export function pageOfEntries(
  { segment, entriesAt, firstOffset, count }: SealedStretch,
  window: EntryWindow,
  offset: number,
) {
  const at = entriesAt + (offset - firstOffset) * entryBytes
  const page = at - (at % pageBytes)
  // Entries begin anywhere: the first one that is whole on this page.
  const from = Math.max(entriesAt, page + (entriesAt % entryBytes))
  const to = Math.min(entriesAt + count * entryBytes, from + pageBytes)
  const words = new Uint32Array(window.read(from, to - from).buffer)
  return { segment, first: firstOffset + (from - entriesAt) / entryBytes, words }
}

export function placeAt(words: Uint32Array, at: number, segment: number): Place {
  return { segment, batch: words[at + entryWord.batch], frame: words[at + entryWord.frame] }
}
