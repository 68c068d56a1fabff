/**
 * Where the records of a topic are: for each topic the segments that hold some, and inside each the index entry.
 *
 * Sealed segments answer from their footers, which are read once each; the few segments behind them from live
 * indexes that are caught up on demand. An entry is a hint that the reader of the record verifies (topic and offset are in
 * the frame, under the batch's CRC): an index that lies is replaced by one derived from the batches.
 */
import { entryBytes, entryWord, type SegmentFooter } from '../../format/segment-layout.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { LiveIndex } from './live-index.js'
import { LiveIndexes } from './live-indexes.js'
import { readSealedFile } from './sealed-index.js'
import {
  lastAtOrBelow,
  pushStretch,
  type SealedStretch,
  SealedStretches,
  type SegmentTimes,
  type Stretch,
} from './sealed-stretches.js'
import type { TopicEntries } from './topic-entries.js'

/** The positions that bound what a reader may look at. Loaded anew at every call. */
export interface LogBounds {
  published(): number
  /** Segments below this position have footers. */
  indexed(): number
  /** Files below this position are gone. */
  trim(): number
}

export interface Place {
  segment: number
  /** Relative positions; both zero: the record was lost to damage. */
  batch: number
  frame: number
}

const pageBytes = 4096

/** Of a segment that nothing is known of: any message may be in it. */
const unknownTimes: SegmentTimes = { firstTime: 0, lastTime: Number.POSITIVE_INFINITY }

/** The entries of a topic's records in one segment: stored there, or derived from its batches. */
export type Holder = { segment: number; firstOffset: number; count: number } & (
  | { words?: undefined; entriesAt: number }
  | { words: Uint32Array }
)

export class Catalog {
  readonly #disk: Disk
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #bounds: LogBounds
  readonly #sealed = new SealedStretches()
  readonly #live: LiveIndexes
  /** First segment whose footer has not been read. */
  #loaded: number

  constructor(disk: Disk, files: SegmentFiles, windows: SegmentWindows, bounds: LogBounds) {
    this.#disk = disk
    this.#files = files
    this.#windows = windows
    this.#bounds = bounds
    this.#live = new LiveIndexes(files, windows)
    this.#loaded = files.segmentOf(bounds.trim())
  }

  /** The first segment that could not be read at the last look. */
  get unreadSegment(): number | undefined {
    return this.#live.unread?.segment
  }

  /** The place of a record, or undefined if no segment knows it. */
  locate(topic: number, offset: number): Place | undefined {
    return this.locateRun(topic, offset, 1)[0]
  }

  /**
   * The places of up to `count` consecutive records from `offset` on, as far as they stand in one segment.
   * Empty: no segment knows the first.
   */
  locateRun(topic: number, offset: number, count: number): Place[] {
    this.#refresh()
    const stretches = this.#sealed.of(topic)
    const index = lastAtOrBelow(stretches, offset)
    const stretch = stretches[index]
    if (stretch !== undefined && offset < stretch.firstOffset + stretch.count) {
      return this.#sealedPlaces(stretch, offset, count)
    }
    for (const [segment, live] of this.#liveIndexes()) {
      const entries = live.topics.get(topic)
      if (entries === undefined || offset < entries.firstOffset) continue
      const places: Place[] = []
      const end = Math.min(offset + count, entries.firstOffset + entries.count)
      for (let next = offset; next < end; next++) {
        places.push(placeAt(entries.words, (next - entries.firstOffset) * entryWord.perEntry, segment))
      }
      if (places.length > 0) return places
    }
    // Not found in what could be looked at: that says nothing while there is more.
    const { unread } = this.#live
    if (unread !== undefined) throw unread.error
    return []
  }

  /** For each segment that holds some of the records wanted, the subscripts of their offsets. A record that no segment knows is left out. */
  holders(topic: number, offsets: readonly number[]): Map<Holder, number[]> {
    this.#refresh()
    const stretches = this.#sealed.of(topic)
    let live: Holder[] | undefined
    const found = new Map<Holder, number[]>()
    offsets.forEach((offset, index) => {
      let holder: Holder | undefined = stretches[lastAtOrBelow(stretches, offset)]
      if (holder === undefined || offset >= holder.firstOffset + holder.count) {
        live ??= this.#liveHolders(topic)
        holder = live.find(({ firstOffset, count }) => offset >= firstOffset && offset < firstOffset + count)
      }
      if (holder === undefined) return
      const indexes = found.get(holder)
      if (indexes === undefined) found.set(holder, [index])
      else indexes.push(index)
    })
    return found
  }

  /** The topic's records by segment, in order: what a parallel scan divides. */
  stretches(topic: number, from: number, to: number): { segment: number; first: number; end: number }[] {
    this.#refresh()
    const all: Stretch[] = [...this.#sealed.of(topic)]
    for (const [segment, live] of this.#liveIndexes()) {
      const entries = live.topics.get(topic)
      if (entries !== undefined && entries.count > 0) {
        all.push({ segment, firstOffset: entries.firstOffset, count: entries.count })
      }
    }
    // A segment whose footer lies is among the live ones, before sealed ones.
    all.sort((a, b) => a.segment - b.segment)
    const kept: Stretch[] = []
    for (const { segment, firstOffset, count } of all) pushStretch(kept, { segment, firstOffset, count })
    return kept
      .map(({ segment, firstOffset, count }) => ({
        segment,
        first: Math.max(from, firstOffset),
        end: Math.min(to, firstOffset + count),
      }))
      .filter(({ first, end }) => first < end)
  }

  /** The topic's records in the segments whose last batch, of whatever topic, is at or after `time`; in order. */
  stretchesEndingAtOrAfter(topic: number, time: number): ({ first: number; end: number } & SegmentTimes)[] {
    return this.stretches(topic, 0, Number.MAX_SAFE_INTEGER).flatMap(({ segment, first, end }) => {
      const { firstTime, lastTime } = this.#sealed.footer(segment) ?? this.#live.times(segment) ?? unknownTimes
      return lastTime < time ? [] : [{ first, end, firstTime, lastTime }]
    })
  }

  /** The sealed segment that has a record, and which of the topic's records it has from there on. */
  sealedFrom(topic: number, offset: number): { segment: number; first: number; end: number } | undefined {
    this.#refresh()
    const stretches = this.#sealed.of(topic)
    const stretch = stretches[lastAtOrBelow(stretches, offset)]
    const end = stretch === undefined ? offset : stretch.firstOffset + stretch.count
    return offset < end ? { segment: stretch.segment, first: offset, end } : undefined
  }

  /** Of a segment whose stored index is believed. */
  footerOf(segment: number): SegmentFooter | undefined {
    return this.#sealed.footer(segment)
  }

  /** What was derived of a topic from the batches of a segment; undefined: the segment has an index that is believed, or nothing of the topic. */
  derived(segment: number, topic: number): TopicEntries | undefined {
    const index = this.#liveIndexes().find(([each]) => each === segment)
    return index?.[1].topics.get(topic)
  }

  /** Entries of `count` records that stand in one segment, from `offset` on. Undefined: no segment knows the first; fewer: not the others. */
  entriesFrom(topic: number, offset: number, count: number): Uint32Array | undefined {
    this.#refresh()
    const stretches = this.#sealed.of(topic)
    const stretch = stretches[lastAtOrBelow(stretches, offset)]
    if (stretch !== undefined && offset < stretch.firstOffset + stretch.count) {
      const skip = offset - stretch.firstOffset
      const bytes = this.#windows.with(stretch.segment, ({ window }) =>
        window.read(stretch.entriesAt + skip * entryBytes, Math.min(count, stretch.count - skip) * entryBytes),
      )
      return new Uint32Array(bytes.buffer)
    }
    const { perEntry } = entryWord
    for (const { firstOffset, count: known, words } of this.#liveHolders(topic)) {
      if (offset < firstOffset || offset >= firstOffset + known || words === undefined) continue
      const skip = offset - firstOffset
      return words.subarray(skip * perEntry, Math.min(known, skip + count) * perEntry)
    }
    const { unread } = this.#live
    if (unread !== undefined) throw unread.error
    return undefined
  }

  /** Entries of the topic's records from `first` on, that of `offset` among them: those that come with it when it is read. */
  entriesNear(topic: number, offset: number): { segment: number; first: number; words: Uint32Array } | undefined {
    this.#refresh()
    const stretches = this.#sealed.of(topic)
    const stretch = stretches[lastAtOrBelow(stretches, offset)]
    if (stretch !== undefined && offset < stretch.firstOffset + stretch.count) {
      const { segment, entriesAt, firstOffset, count } = stretch
      const at = entriesAt + (offset - firstOffset) * entryBytes
      const page = at - (at % pageBytes)
      // Entries begin anywhere: the first one that is whole on this page.
      const from = Math.max(entriesAt, page + (entriesAt % entryBytes))
      const to = Math.min(entriesAt + count * entryBytes, from + pageBytes)
      const bytes = this.#windows.with(segment, ({ window }) => window.read(from, to - from))
      return { segment, first: firstOffset + (from - entriesAt) / entryBytes, words: new Uint32Array(bytes.buffer) }
    }
    const live = this.#liveHolders(topic).find(
      (each) => offset >= each.firstOffset && offset < each.firstOffset + each.count,
    )
    if (live?.words === undefined) return undefined
    const from = Math.max(0, offset - live.firstOffset - pageBytes / entryBytes)
    const to = Math.min(live.count, from + 2 * (pageBytes / entryBytes))
    const { perEntry } = entryWord
    return {
      segment: live.segment,
      first: live.firstOffset + from,
      words: live.words.subarray(from * perEntry, to * perEntry),
    }
  }

  /** Position of the first damage behind one batch and before another; known for segments whose index was derived from the batches. */
  damageBetween(after: Place | undefined, before: Place | undefined): number | undefined {
    const from = after === undefined ? -1 : this.#files.base(after.segment) + after.batch
    const to = before === undefined ? Number.POSITIVE_INFINITY : this.#files.base(before.segment) + before.batch
    for (const [segment, live] of this.#liveIndexes()) {
      const base = this.#files.base(segment)
      const damages = [...live.damages, ...live.gaps].map((range) => base + range.from)
      const between = damages.filter((position) => position > from && position < to)
      if (between.length > 0) return Math.min(...between)
    }
    return undefined
  }

  /** Gives back what was derived from segments that nobody reads any more; it is derived again when somebody does. */
  forget(segments: readonly number[]): void {
    // What has no footer to be derived anew from stays.
    for (const segment of segments) if (segment >= this.#loaded) this.#live.remove(segment)
  }

  /** Stops believing a segment's stored index: from now on it is derived from the batches, past any damage. */
  distrust(segment: number): void {
    if (this.#sealed.remove(segment)) this.#live.begin(segment)
  }

  /** Forgets deleted segments and reads the footers that have been written since the last call. */
  #refresh(): void {
    const firstKept = this.#files.segmentOf(this.#bounds.trim())
    this.#sealed.dropBelow(firstKept)
    this.#live.dropBelow(firstKept)
    this.#windows.dropBelow(firstKept)
    this.#loaded = Math.max(this.#loaded, firstKept)
    const sealedEnd = this.#files.segmentOf(this.#bounds.indexed())
    for (; this.#loaded < sealedEnd; this.#loaded++) this.#load(this.#loaded)
  }

  #load(segment: number): void {
    const sealed = readSealedFile(this.#disk, this.#files, segment)
    if (sealed === undefined) {
      this.#live.begin(segment)
      return
    }
    this.#live.remove(segment)
    this.#sealed.add(segment, sealed)
  }

  #sealedPlaces(stretch: SealedStretch, offset: number, count: number): Place[] {
    const skip = offset - stretch.firstOffset
    const length = Math.min(count, stretch.count - skip) * entryBytes
    const bytes = this.#windows.with(stretch.segment, ({ window }) =>
      window.read(stretch.entriesAt + skip * entryBytes, length),
    )
    const words = new Uint32Array(bytes.buffer)
    const places: Place[] = []
    for (let at = 0; at < words.length; at += entryWord.perEntry) places.push(placeAt(words, at, stretch.segment))
    return places
  }

  #liveHolders(topic: number): Holder[] {
    return this.#liveIndexes().flatMap(([segment, live]) => {
      const entries = live.topics.get(topic)
      if (entries === undefined) return []
      return [{ segment, firstOffset: entries.firstOffset, count: entries.count, words: entries.words }]
    })
  }

  #liveIndexes(): [number, LiveIndex][] {
    return this.#live.caughtUp(this.#loaded, this.#bounds.published())
  }
}

function placeAt(words: Uint32Array, at: number, segment: number): Place {
  return { segment, batch: words[at + entryWord.batch], frame: words[at + entryWord.frame] }
}
