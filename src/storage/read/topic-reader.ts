/**
 * Reading a topic, for a `Reader`: bounded chunks of verified batches, copied out of the log under a pin.
 *
 * A chunk is a row of batches (header and frames, as in the log) from which the frames of other topics have been
 * removed; each header states the bytes and the count of what is left. Where a topic is dense, segments are read in order;
 * where it is sparse, the index leads from record to record.
 */
import type { Filter } from '../../engine/terms.js'
import { batchHeaderBytes } from '../../format/batch-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { chunkBytes, maxBatchBytes } from '../../limits.js'
import { isUnreadable } from '../../memory/errno.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { Catalog, LogBounds } from '../index/catalog.js'
import { TaggedRecords } from '../index/tagged-records.js'
import type { Candidates, SideIndexes } from '../side/side-indexes.js'
import { type Chunk, type HeldChunk, type ReadRequest, type Resume, sparseShare } from './chunk.js'
import { joinPieces } from './chunk-thinning.js'
import { walkChunk } from './chunk-walk.js'
import { KeyCandidates } from './key-candidates.js'
import { type KeyedRecords, type KeyRequest, KeySearch } from './key-search.js'
import { LostRecords } from './lost-records.js'
import { MappedChunks } from './mapped-chunks.js'
import { MessageTimes } from './message-times.js'
import { type NewestOffsets, NewestOfKeys, type NewestRequest } from './newest-of-keys.js'
import { PlacedRecords } from './placed-records.js'

const recordsPerSparseChunk = 1024
/** Offsets of records that are wanted. */
export interface NamedOffsets {
  /** The first of them in `[from, to)`, ascending, at most so many. */
  some(from: number, to: number, most: number): readonly number[]
}

/** Records that are named, of which it is said at a time whether they are few among those between them. */
const namedAtOnce = 256
/** To look a record up takes as long as to read some 10 KB in order, records of 200 bytes or less each counted as so many. */
const lookup = { bytes: 10_000, leastPerRecord: 200 }

export class TopicReader {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #catalog: Catalog
  readonly #bounds: LogBounds
  readonly #lost: LostRecords
  readonly #records: PlacedRecords
  readonly #mapped: MappedChunks
  readonly #times: MessageTimes
  readonly #keys: KeySearch
  readonly #newest: NewestOfKeys
  readonly #sides: SideIndexes | undefined
  #scratch = new Uint8Array(chunkBytes)

  constructor(files: SegmentFiles, windows: SegmentWindows, catalog: Catalog, bounds: LogBounds, sides?: SideIndexes) {
    this.#files = files
    this.#windows = windows
    this.#catalog = catalog
    this.#bounds = bounds
    this.#sides = sides
    this.#lost = new LostRecords(files, windows, catalog, bounds)
    this.#records = new PlacedRecords(files, windows, catalog, bounds, this.#lost)
    this.#mapped = new MappedChunks(files, windows, bounds, this.#records)
    const tags = new TaggedRecords(catalog, windows)
    const candidates = new KeyCandidates(catalog, tags, this.#records, this.#lost, sides)
    this.#keys = new KeySearch(catalog, candidates)
    this.#newest = new NewestOfKeys(catalog, candidates)
    this.#times = new MessageTimes(files, windows, catalog, bounds, this.#records, this.#lost, sides)
  }

  /**
   * The next chunk from `request.offset` on; holds at least one record of the range.
   * @throws `BOOKEND_CORRUPT` if the record at `request.offset` cannot be read
   */
  read(request: ReadRequest): Chunk {
    return request.resume?.isSparse ? this.#readSparse(request) : this.#readDense(request, undefined)
  }

  /**
   * Like {@link read}, into memory that the next call overwrites: for loops that are done with a chunk before they ask for the
   * next.
   */
  readBorrowed(request: ReadRequest): Chunk {
    return request.resume?.isSparse ? this.#readSparse(request) : this.#readDense(request, this.#scratch)
  }

  /**
   * Like {@link read}, without a copy where that can be done: in dense stretches of mapped segments. The bytes are good until `release`;
   * views kept longer read nothing, or zeros.
   */
  readMapped(request: ReadRequest): HeldChunk {
    const inPlace = request.resume?.isSparse ? undefined : this.#mapped.read(request)
    return inPlace ?? { ...this.read(request), release() {} }
  }

  /** One batch, thinned to the single record wanted; undefined if no segment knows the record. */
  readOne(topic: number, offset: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#records.one(topic, offset)
  }

  /** Where to begin reading at a record, for somebody who has not looked for it; undefined: the index does not say. */
  placeOf(topic: number, offset: number): Resume | undefined {
    return this.#records.placeOf(topic, offset)
  }

  /** First offset whose batch was appended at or after `time`; undefined: none. */
  offsetAt(topic: number, time: number, first: number, next: number): number | undefined {
    return this.#times.firstAtOrAfter(topic, time, first, next)
  }

  /** Some of the records with a key, and where the others are to be looked for. */
  keyed(request: KeyRequest): KeyedRecords {
    return this.#keys.find(request)
  }

  /** Of many keys the newest record, as far as it was looked. */
  newest(request: NewestRequest): NewestOffsets {
    return this.#newest.find(request)
  }

  /**
   * Records from `offset` on, below `to`, that may match, as far as the side index of their segment tells. Undefined: it does not, or they are
   * so many that all may as well be read.
   */
  candidates(topic: number, offset: number, to: number, filter: Filter): Candidates | undefined {
    if (this.#sides === undefined) return undefined
    const found = this.#catalog.sealedFrom(topic, offset)
    const footer = found && this.#catalog.footerOf(found.segment)
    if (found === undefined || footer === undefined) return undefined
    const stretch = { ...found, footer, end: Math.min(found.end, to) }
    return this.#sides.matching(topic, stretch, filter, recordsPerSparseChunk, (stretch.end - offset) * sparseShare)
  }

  /** Records that are named, from `offset` on and below `to`. Undefined: they are so many that those between them may as well be read. */
  named(topic: number, offset: number, to: number, named: NamedOffsets): Candidates | undefined {
    const offsets = named.some(offset, to, namedAtOnce)
    const [first = to] = offsets
    if (first - offset >= namedAtOnce) return { offsets: [], from: offset, to: first }
    const found = this.#catalog.sealedFrom(topic, offset)
    if (found === undefined) return undefined
    const here = offsets.filter((each) => each < found.end)
    const last = here.at(-1) ?? offset
    const end = here.length === namedAtOnce ? last + 1 : Math.min(found.end, to)
    const between = (this.placeOf(topic, last)?.position ?? 0) - (this.placeOf(topic, offset)?.position ?? 0)
    const records = (end - offset) * lookup.leastPerRecord
    if (Math.max(between, records) < here.length * lookup.bytes) return undefined
    return { offsets: here, from: offset, to: end }
  }

  #readDense(request: ReadRequest, into: Uint8Array<ArrayBuffer> | undefined): Chunk {
    const { topic, offset, to } = request
    let position = request.resume?.position ?? this.#records.startOf(topic, offset)
    // Segments behind a resumed reader may have been deleted since; its next record was not in them.
    if (position < this.#bounds.trim()) position = this.#records.startOf(topic, offset)
    const published = this.#bounds.published()
    let want = request.resume === undefined ? this.#lengthUpTo(topic, to, position) : chunkBytes
    let scannedBytes = 0
    for (;;) {
      const segment = this.#files.segmentOf(position)
      const base = this.#files.base(segment)
      const at = Math.max(position - base, segmentHeaderBytes)
      const limit = Math.min(published - base, this.#files.segmentBytes) - at
      if (limit <= 0) throw this.#lost.corrupt(offset, position, 'the log ends before a record that was published')
      const found = this.#orElsewhere(topic, offset, segment, () =>
        this.#thinnedChunk(request, segment, at, limit, want, into),
      )
      if (typeof found === 'number') {
        position = found
        continue
      }
      const { stop, scanned, needed, firstBeyond } = found
      scannedBytes += scanned
      position = stop === 'seal' ? this.#files.base(segment + 1) + segmentHeaderBytes : base + at + scanned
      if (found.first <= offset && found.next > offset) {
        const isSparse = found.kept < scannedBytes * sparseShare
        // What was published since the request is read again when it is asked for.
        if (firstBeyond >= 0) position = base + at + firstBeyond
        return { bytes: found.bytes, next: Math.min(found.next, to), resume: { position, isSparse } }
      }
      if (stop === 'bad' || stop === 'left' || found.first > offset) {
        position = this.#detour(topic, offset, segment, base + at, base + at + scanned)
        want = chunkBytes
        continue
      }
      want = stop === 'partial' && scanned === 0 ? needed : chunkBytes
      // Nothing of the topic in a whole chunk: let the index find the next record.
      if (scannedBytes >= chunkBytes) return this.#readSparse(request)
    }
  }

  /** How much to read from `position` on where a range may end before a chunk does: no further than its last batch can reach. */
  #lengthUpTo(topic: number, to: number, position: number): number {
    const place = this.#records.placeOf(topic, to - 1)
    if (place === undefined || place.position < position) return chunkBytes
    return Math.min(chunkBytes, place.position - position + batchHeaderBytes + maxBatchBytes)
  }

  /** Whoever reads on in order may come to a segment that is gone: then where the record stands, if not in that one. */
  #orElsewhere<F>(topic: number, offset: number, segment: number, read: () => F): F | number {
    try {
      return read()
    } catch (error) {
      const start = this.#records.startOf(topic, offset)
      if (this.#files.segmentOf(start) === segment) throw error
      return start
    }
  }

  /** Where to go on after a walk over `[from, to]` that did not meet the record: the index may know better, or be the liar. */
  #detour(topic: number, offset: number, segment: number, from: number, to: number): number {
    const start = this.#records.startOf(topic, offset)
    if (start < from || start > to) return start
    this.#catalog.distrust(segment)
    const derived = this.#records.startOf(topic, offset)
    if (derived < from || derived > to) return derived
    throw this.#lost.damaged(topic, offset, segment, derived - this.#files.base(segment))
  }

  /** Copies a chunk out under a pin, then verifies and thins the copy. */
  #thinnedChunk(
    request: ReadRequest,
    segment: number,
    at: number,
    limit: number,
    want: number,
    into: Uint8Array<ArrayBuffer> | undefined,
  ) {
    const length = Math.min(want, limit)
    const { raw, pinned } = this.#copyOut(request, segment, at, length, into)
    const found = walkChunk(request, { bytes: raw, pinned, base: this.#files.base(segment), at, limit }, false)
    const { kept } = found
    return {
      ...found,
      bytes: into !== undefined || kept > raw.length / 2 ? raw.subarray(0, kept) : raw.slice(0, kept),
    }
  }

  #copyOut(
    { topic, offset }: ReadRequest,
    segment: number,
    at: number,
    length: number,
    into: Uint8Array<ArrayBuffer> | undefined,
  ) {
    try {
      return this.#windows.with(segment, (pinned) => {
        const { window } = pinned
        if (into !== undefined && length > this.#scratch.length) this.#scratch = new Uint8Array(length)
        const target = into === undefined ? uninitialized(length) : length > into.length ? this.#scratch : into
        const raw = target.subarray(0, length)
        try {
          window.readInto(raw, 0, at, length)
          return { raw, pinned }
        } catch (error) {
          if (!isUnreadable(error)) throw error
          // One block hides no other. What was found right before is looked at anew: now a part of it may be zeros.
          new SalvageWindow(window).readInto(raw, 0, at, length)
          return { raw, pinned: { ...pinned, isVerified: () => false } }
        }
      })
    } catch (error) {
      throw this.#lost.unreadable(error, topic, offset, segment, at)
    }
  }

  /** Follows the index from record to record, and collects single-record batches. */
  #readSparse({ topic, offset, to }: ReadRequest): Chunk {
    const places = this.#records.places(topic, offset, Math.min(recordsPerSparseChunk, to - offset))
    if (places.length === 0) throw this.#lost.missing(topic, offset)
    const pieces: Uint8Array[] = []
    let bytes = 0
    let next = offset
    let last = places[0]
    for (const place of places) {
      if (bytes >= chunkBytes) break
      let piece: Uint8Array
      try {
        piece = this.#records.at(topic, next, place)
      } catch (error) {
        // What was read so far is good: deliver it, and let the next call meet the damage.
        if (next === offset) throw error
        break
      }
      pieces.push(piece)
      bytes += piece.length
      last = place
      next += 1
    }
    const span = last.segment === places[0].segment ? last.batch - places[0].batch : 0
    // Close together again: read in order from the last batch on, whose records below `next` are skipped.
    const isSparse = bytes < span * sparseShare * 2 || next - offset < 8
    return {
      bytes: joinPieces(pieces),
      next,
      resume: { position: this.#files.base(last.segment) + last.batch, isSparse },
    }
  }
}

/** What is copied into it fills it: to have it zeroed first costs half as much again. */
function uninitialized(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
}
