/**
 * Records by offset, many at a time: the way for what stands where its index says and is as it was written, which is nearly always. It
 * delivers nothing else. What it does not find is for `TopicReader.readOne`, which looks twice, and says what is wrong.
 */
import { batchHeaderBytes, putBatchCopy } from '../../format/batch-layout.js'
import { frameBytes, frameHeaderBytes, frameKind, frameWord, kindOf, offsetOf } from '../../format/frame-layout.js'
import { entryWord, segmentHeaderBytes } from '../../format/segment-layout.js'
import { rangeWord } from '../../memory/gather.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { PinnedWindow, SegmentWindows } from '../files/segment-windows.js'
import type { Catalog, Holder, LogBounds } from '../index/catalog.js'
import { IndexPages } from '../index/index-pages.js'
import { RememberedBatches } from '../index/remembered-batches.js'
import { joinPieces } from './chunk-thinning.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { at: rangeAt, length: rangeLength, targetAt: rangeTargetAt, perRange } = rangeWord

/** One-record batches, each where `starts` says; -1: the record was not found. */
export interface FoundRecords {
  bytes: Uint8Array<ArrayBuffer>
  starts: Float64Array<ArrayBuffer>
}

/** The same of the first `looked` of the offsets: for the others there was no room. */
export interface FirstFoundRecords extends FoundRecords {
  looked: number
}

export class RecordLookup {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #catalog: Catalog
  readonly #bounds: LogBounds
  readonly #pages = new IndexPages()
  readonly #batches = new RememberedBatches()
  /** Frames that are to be copied, see {@link rangeWord}; and of each the subscript of its offset, and its time. */
  #ranges = new Uint32Array(0)
  readonly #indexes: number[] = []
  readonly #times: number[] = []
  /** Of the offsets that are looked for, those in front of this subscript have had room. */
  #looked = 0

  constructor(files: SegmentFiles, windows: SegmentWindows, catalog: Catalog, bounds: LogBounds) {
    this.#files = files
    this.#windows = windows
    this.#catalog = catalog
    this.#bounds = bounds
  }

  /** @param offsets in any order, of records that may not be there */
  find(topic: number, offsets: readonly number[]): FoundRecords {
    const { bytes, starts } = this.#find(topic, offsets, Number.POSITIVE_INFINITY)
    return { bytes, starts }
  }

  /** Of so many bytes, or one record. @param offsets ascending, of records in one segment that may not be there */
  findFirst(topic: number, offsets: readonly number[], maxBytes: number): FirstFoundRecords {
    return this.#find(topic, offsets, maxBytes)
  }

  #find(topic: number, offsets: readonly number[], maxBytes: number): FirstFoundRecords {
    const starts = new Float64Array(offsets.length).fill(-1)
    const pieces: Uint8Array<ArrayBuffer>[] = []
    let end = 0
    this.#looked = offsets.length
    try {
      for (const [holder, indexes] of this.#catalog.holders(topic, offsets)) {
        const copy = (pinned: PinnedWindow) => this.#copyOut(pinned, holder, topic, offsets, indexes, maxBytes)
        const piece = this.#windows.with(holder.segment, copy, 'atRandom')
        this.#check(piece, topic, offsets, starts, end)
        pieces.push(piece)
        end += piece.length
      }
    } catch {
      // Whatever it is: who asks for one of the records by itself meets it again, and says so.
    }
    return { bytes: pieces.length === 1 ? pieces[0] : joinPieces(pieces), starts, looked: this.#looked }
  }

  /** Gives back what was kept of indexes. */
  forget(): void {
    this.#pages.clear()
  }

  /** Copies the frames of one segment's records, each with room for a header before it. */
  #copyOut(
    pinned: PinnedWindow,
    holder: Holder,
    topic: number,
    offsets: readonly number[],
    indexes: readonly number[],
    maxBytes: number,
  ): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(new ArrayBuffer(this.#locate(pinned, holder, offsets, indexes, maxBytes)))
    pinned.window.readRanges(bytes, this.#ranges, this.#indexes.length)
    const words = new Uint32Array(bytes.buffer)
    for (let found = 0; found < this.#indexes.length; found++) {
      const range = found * perRange
      const start = this.#ranges[range + rangeTargetAt] - batchHeaderBytes
      putBatchCopy(words, start, batchHeaderBytes + this.#ranges[range + rangeLength], this.#times[found], topic)
    }
    return bytes
  }

  /** Notes which frames are to be copied. Each is inside a verified batch. Returns the bytes that they will take. */
  #locate(
    pinned: PinnedWindow,
    holder: Holder,
    offsets: readonly number[],
    indexes: readonly number[],
    maxBytes: number,
  ): number {
    const { segmentBytes } = this.#files
    const base = this.#files.base(holder.segment)
    const end = Math.min(segmentBytes, this.#bounds.published() - base)
    if (this.#ranges.length < indexes.length * perRange) this.#ranges = new Uint32Array(indexes.length * perRange)
    this.#indexes.length = 0
    this.#times.length = 0
    let bytes = 0
    for (const index of indexes) {
      const entry = offsets[index] - holder.firstOffset
      const isStored = holder.words === undefined
      const word = isStored ? this.#pages.find(pinned, holder.entriesAt, entry) : entry * entryWord.perEntry
      const words = isStored ? this.#pages.words : holder.words
      const batch = words[word + entryWord.batch]
      const frame = words[word + entryWord.frame]
      const size = frameBytes(words[word + entryWord.length])
      // An entry is not covered by a checksum of its own: it may say anything.
      if (batch < segmentHeaderBytes || batch % 8 !== 0 || frame < batch + batchHeaderBytes || frame % 8 !== 0) continue
      if (frame + frameHeaderBytes > end || size > segmentBytes) continue
      const known = this.#batches.find(pinned, base, batch, end)
      if (known < 0 || frame + size > batch + this.#batches.bytes[known]) continue
      if (bytes > 0 && bytes + size > maxBytes) {
        this.#looked = index
        break
      }
      const range = this.#indexes.push(index) * perRange - perRange
      this.#times.push(this.#batches.times[known])
      this.#ranges[range + rangeAt] = frame
      this.#ranges[range + rangeLength] = size
      this.#ranges[range + rangeTargetAt] = bytes + batchHeaderBytes
      bytes += batchHeaderBytes + size
    }
    return bytes
  }

  /** Counts those as found that are the records wanted: the checksum of a batch says nothing about the index that led into it. */
  #check(bytes: Uint8Array, topic: number, offsets: readonly number[], starts: Float64Array, base: number): void {
    const words = new Uint32Array(bytes.buffer)
    for (let found = 0; found < this.#indexes.length; found++) {
      const range = found * perRange
      const frame = this.#ranges[range + rangeTargetAt]
      const word = frame >>> 2
      const tail = words[word + frameWord.tail]
      const isRight =
        frameBytes(words[word + frameWord.length]) === this.#ranges[range + rangeLength] &&
        kindOf(tail) === frameKind.data &&
        words[word + frameWord.topic] === topic &&
        offsetOf(words[word + frameWord.offsetLow], tail) === offsets[this.#indexes[found]]
      if (isRight) starts[this.#indexes[found]] = base + frame - batchHeaderBytes
    }
  }
}
