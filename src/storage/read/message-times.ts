/**
 * Which message is the first at or after a time. The side index of its segment says it; where there is none, the headers of batches do, which
 * say the time of all their records. Where a batch stands is told by the index, which may be wrong: the message that is found, and the one before
 * it, are looked at in their own frames.
 */
import { batchHeaderBytes, batchTime, readBatchHeader } from '../../format/batch-layout.js'
import { frameHeaderBytes } from '../../format/frame-layout.js'
import { recordOffset } from '../../format/frame-walk.js'
import { entryWord, segmentHeaderBytes } from '../../format/segment-layout.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { Catalog, LogBounds } from '../index/catalog.js'
import type { SideIndexes } from '../side/side-indexes.js'
import type { LostRecords } from './lost-records.js'
import type { PlacedRecords } from './placed-records.js'
import { firstAtOrAfter, type TimedRange, type TimedRun } from './time-search.js'

const { perEntry } = entryWord

export class MessageTimes {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #catalog: Catalog
  readonly #bounds: LogBounds
  readonly #records: PlacedRecords
  readonly #lost: LostRecords
  readonly #sides: SideIndexes | undefined

  constructor(
    files: SegmentFiles,
    windows: SegmentWindows,
    catalog: Catalog,
    bounds: LogBounds,
    records: PlacedRecords,
    lost: LostRecords,
    sides?: SideIndexes,
  ) {
    this.#sides = sides
    this.#files = files
    this.#windows = windows
    this.#catalog = catalog
    this.#bounds = bounds
    this.#records = records
    this.#lost = lost
  }

  /**
   * The first offset in `[first, next)` whose batch was appended at or after `time`; undefined: none.
   * @throws `BOOKEND_CORRUPT` where a message that has to be looked at cannot be read
   */
  firstAtOrAfter(topic: number, time: number, first: number, next: number): number | undefined {
    for (const stretch of this.#catalog.stretchesEndingAtOrAfter(topic, time)) {
      const range = { ...stretch, first: Math.max(first, stretch.first), end: Math.min(next, stretch.end) }
      if (range.first >= range.end) continue
      const found = this.#told(topic, time, range) ?? this.#search(topic, time, range)
      // Otherwise the segment was still written to at that time, but of this topic it holds older messages only.
      if (found < range.end) return found
    }
    return undefined
  }

  #told(topic: number, time: number, range: TimedRange & { segment: number }): number | undefined {
    const footer = this.#catalog.footerOf(range.segment)
    return footer && this.#sides?.firstAtOrAfter(topic, { ...range, footer }, time)
  }

  #search(topic: number, time: number, range: TimedRange): number {
    const look = (offset: number) => this.#quickLook(topic, offset) ?? this.#look(topic, offset)
    const found = firstAtOrAfter(range, time, look)
    const isFirst =
      (found === range.end || this.#timeIsAtLeast(topic, found, time) === true) &&
      (found === range.first || this.#timeIsAtLeast(topic, found - 1, time) === false)
    return isFirst ? found : firstAtOrAfter(range, time, (offset) => this.#look(topic, offset))
  }

  /** By the header of the batch that the index names, with the records beside it that are in the same one. Undefined: there is none. */
  #quickLook(topic: number, offset: number): TimedRun | undefined {
    try {
      const near = this.#catalog.entriesNear(topic, offset)
      if (near === undefined) return undefined
      const { segment, words } = near
      const at = (offset - near.first) * perEntry
      const batch = words[at + entryWord.batch]
      const time = this.#timeAt(segment, batch)
      if (time === undefined) return undefined
      let first = at
      while (first >= perEntry && words[first - perEntry + entryWord.batch] === batch) first -= perEntry
      let end = at + perEntry
      while (end < words.length && words[end + entryWord.batch] === batch) end += perEntry
      return { first: near.first + first / perEntry, end: near.first + end / perEntry, time }
    } catch {
      // Whoever looks at it properly says what is wrong.
      return undefined
    }
  }

  /** Undefined: what stands at the place that the index names is not this message. */
  #timeIsAtLeast(topic: number, offset: number, time: number): boolean | undefined {
    try {
      const place = this.#catalog.locate(topic, offset)
      if (place === undefined) return undefined
      const { segment, batch, frame } = place
      const found = this.#timeAt(segment, batch, frame)
      if (found === undefined) return undefined
      const words = this.#windows.with(
        segment,
        ({ window }) => new Uint32Array(window.read(frame, frameHeaderBytes).buffer),
      )
      return recordOffset(words, 0, topic) === offset ? found >= time : undefined
    } catch {
      return undefined
    }
  }

  /** Time of the batch there. Undefined: there is none, or none that holds a frame at `frame`. */
  #timeAt(segment: number, batch: number, frame = batch + batchHeaderBytes): number | undefined {
    const base = this.#files.base(segment)
    const limit = Math.min(this.#files.segmentBytes, this.#bounds.published() - base) - batch
    if (batch < segmentHeaderBytes || batch % 8 !== 0 || limit < batchHeaderBytes) return undefined
    const header = this.#windows.with(segment, ({ window }) =>
      readBatchHeader(window.read(batch, batchHeaderBytes), 0, base + batch, limit),
    )
    if (header === undefined || frame % 8 !== 0) return undefined
    const isInside = frame >= batch + batchHeaderBytes && frame + frameHeaderBytes <= batch + header.bytes
    return isInside ? header.time : undefined
  }

  /** The message itself, verified. */
  #look(topic: number, offset: number): TimedRun {
    const bytes = this.#records.one(topic, offset)
    if (bytes === undefined) throw this.#lost.missing(topic, offset)
    return { first: offset, end: offset + 1, time: batchTime(new Uint32Array(bytes.buffer), 0) }
  }
}
