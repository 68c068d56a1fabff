/**
 * Where the records of a topic are: for each topic the segments that hold some, and inside each the index entry.
 *
 * Sealed segments answer from their footers, which are read once each; the few segments behind them from live
 * indexes that are caught up on demand. An entry is a hint that the reader of the record verifies (topic and offset are in
 * the frame, under the batch's CRC): an index that lies is replaced by one derived from the batches.
 */
import { entryBytes, entryWord, type SegmentFooter } from '../../format/segment-layout.js'
import { isUnreadable } from '../../memory/errno.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { PinnedWindow, SegmentWindows } from '../files/segment-windows.js'
import type { HandedFooters } from './handed-footers.js'
import type { LiveIndex } from './live-index.js'
import { LiveIndexes } from './live-indexes.js'
import { readFooter, readSealedFile, readSealedSegment } from './sealed-index.js'
import {
  lastAtOrBelow,
  pushStretch,
  type SealedStretch,
  SealedStretches,
  type SegmentTimes,
  type Stretch,
} from './sealed-stretches.js'
import { entriesIn, type Place, pageBytes, pageOfEntries, placeAt, placesIn } from './stored-entries.js'
import type { TopicEntries } from './topic-entries.js'

/** The positions that bound what a reader may look at. Loaded anew at every call. */
export interface LogBounds {
  published(): number
  /** Segments below this position have footers. */
  indexed(): number
  /** Files below this position are gone. */
  trim(): number
}

/** Of a segment that nothing is known of: any message may be in it. */
const unknownTimes: SegmentTimes = { firstTime: 0, lastTime: Number.POSITIVE_INFINITY }

/** Offsets `[first, end)` of a topic, which stand in one segment. */
interface StretchPart {
  segment: number
  first: number
  end: number
}

type TimedStretch = StretchPart & SegmentTimes

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
  /** Footers that are not believed any more. */
  readonly #distrusted = new Map<number, SegmentFooter>()
  /** Windows whose footer was found to be the one that is known. */
  readonly #met = new WeakSet<PinnedWindow['window']>()
  readonly #handed: Pick<HandedFooters, 'take'> | undefined
  /** First segment whose footer has not been read. */
  #loaded: number

  /** @param handed what somebody else has read of them */
  constructor(
    disk: Disk,
    files: SegmentFiles,
    windows: SegmentWindows,
    bounds: LogBounds,
    handed?: Pick<HandedFooters, 'take'>,
  ) {
    this.#handed = handed
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
    const stored = this.#inStretch(topic, offset, (stretch, window) => placesIn(stretch, window, offset, count))
    if (stored !== undefined) return stored
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
  stretches(topic: number, from: number, to: number): StretchPart[] {
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

  /**
   * The topic's records in the segments whose last batch, of whatever topic, is at or after `time`; in order. Segments without an index are
   * not walked before they are asked for.
   */
  *stretchesEndingAtOrAfter(topic: number, time: number): Generator<TimedStretch> {
    this.#refresh()
    // One that is not believed is walked, and stands in front of others.
    const sealed = this.#live.hasBelow(this.#loaded) ? [] : this.#sealed.of(topic)
    const believed = sealed.map(({ segment, firstOffset: first, count }) => ({ segment, first, end: first + count }))
    for (const stretch of believed) yield* this.#endingAtOrAfter(stretch, time)
    const from = believed.at(-1)?.end ?? 0
    for (const stretch of this.stretches(topic, from, Number.MAX_SAFE_INTEGER))
      yield* this.#endingAtOrAfter(stretch, time)
  }

  #endingAtOrAfter(stretch: StretchPart, time: number): TimedStretch[] {
    const { segment } = stretch
    const { firstTime, lastTime } = this.#sealed.footer(segment) ?? this.#live.times(segment) ?? unknownTimes
    return lastTime < time ? [] : [{ ...stretch, firstTime, lastTime }]
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
    const stored = this.#inStretch(topic, offset, (stretch, window) => entriesIn(stretch, window, offset, count))
    if (stored !== undefined) return stored
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
    const stored = this.#inStretch(topic, offset, (stretch, window) => pageOfEntries(stretch, window, offset))
    if (stored !== undefined) return stored
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
    if (this.#isWrittenAnew(segment)) return
    const footer = this.#sealed.footer(segment)
    if (footer === undefined) return
    this.#sealed.remove(segment)
    this.#distrusted.set(segment, footer)
    this.#live.begin(segment)
  }

  #isWrittenAnew(segment: number): boolean {
    try {
      return this.#windows.with(segment, (pinned) => !this.#isKnown(pinned))
    } catch {
      // Whoever reads there meets it, and says so.
      return false
    }
  }

  /** Forgets deleted segments and reads the footers that have been written since the last call. */
  #refresh(): void {
    const firstKept = this.#files.segmentOf(this.#bounds.trim())
    this.#sealed.dropBelow(firstKept)
    this.#live.dropBelow(firstKept)
    this.#windows.dropBelow(firstKept)
    for (const segment of this.#distrusted.keys()) if (segment < firstKept) this.#distrusted.delete(segment)
    this.#loaded = Math.max(this.#loaded, firstKept)
    const sealedEnd = this.#files.segmentOf(this.#bounds.indexed())
    for (; this.#loaded < sealedEnd; this.#loaded++) this.#load(this.#loaded)
  }

  #load(segment: number): void {
    const sealed = this.#handed?.take(segment) ?? readSealedFile(this.#disk, this.#files, segment)
    if (sealed === undefined) {
      this.#live.begin(segment)
      return
    }
    this.#live.remove(segment)
    this.#sealed.add(segment, sealed)
  }

  /** What `read` finds in the sealed segment that has the record; undefined: none is known to. */
  #inStretch<R>(
    topic: number,
    offset: number,
    read: (stretch: SealedStretch, window: PinnedWindow['window']) => R,
  ): R | undefined {
    for (;;) {
      const stretches = this.#sealed.of(topic)
      const stretch = stretches[lastAtOrBelow(stretches, offset)]
      if (stretch === undefined || offset >= stretch.firstOffset + stretch.count) return undefined
      const found = this.#windows.with(stretch.segment, (pinned) =>
        this.#isKnown(pinned) ? this.#orDistrusted(pinned, () => ({ is: read(stretch, pinned.window) })) : undefined,
      )
      if (found !== undefined) return found.is
    }
  }

  /** Undefined as well where the index cannot be read: from here on it is derived from the batches. */
  #orDistrusted<R>({ segment }: PinnedWindow, read: () => R): R | undefined {
    try {
      return read()
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.distrust(segment)
      return undefined
    }
  }

  /**
   * False: the segment was written anew since its footer was read, and what it says now is known from here on. Each window is looked at
   * once: whoever has a file open has it as it was.
   */
  #isKnown({ segment, window }: PinnedWindow): boolean {
    if (this.#met.has(window)) return true
    const known = this.#sealed.footer(segment) ?? this.#distrusted.get(segment)
    const { segmentBytes } = this.#files
    const base = this.#files.base(segment)
    const read = (at: number, length: number) => window.read(at, length)
    const footer = known && readFooter(read, base, segmentBytes)
    const isOther = known !== undefined && footer !== undefined && !isSame(known, footer)
    const sealed = isOther ? readSealedSegment(read, base, segmentBytes) : undefined
    this.#met.add(window)
    if (sealed === undefined) return true
    this.#live.remove(segment)
    this.#distrusted.delete(segment)
    this.#sealed.replace(segment, sealed)
    return false
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

/** Whether they speak of the same bytes. */
function isSame(one: SegmentFooter, other: SegmentFooter): boolean {
  return one.entriesCrc === other.entriesCrc && one.directoryCrc === other.directoryCrc && one.dataEnd === other.dataEnd
}
