/**
 * Reads what is in memory, on the calling thread, without ever waiting: for the application's thread, and for any other that must not.
 *
 * Whatever it answers is as sure as what a reader thread answers: the record stands, with its topic and its offset, in a batch below the
 * published position whose two checksums were right when it was read through this very file. What it cannot find so, for whatever
 * reason (not in memory, not open yet, damaged, too long), it leaves to a reader thread, which looks by other means and says what is wrong.
 *
 * The caller knows which offsets there are: it asks for published ones at or above the topic's first only.
 */
import { batchHeaderBytes, bodyMatches, mixedTopics, readBatchHeader } from '../../format/batch-layout.js'
import { frameEnd, recordOffset } from '../../format/frame-walk.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { chunkBytes, hotChunkBytes, maxHotBatchBytes } from '../../limits.js'
import type { NowFiles, Target } from '../../memory/read-now.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { LogBounds } from '../index/catalog.js'
import { IndexPages } from '../index/index-pages.js'
import { type Chunk, type Resume, sparseShare } from '../read/chunk.js'
import { type Wanted, walkChunk } from '../read/chunk-walk.js'
import { lookBytes } from './batch-map.js'
import type { HotSegment } from './hot-segment.js'
import { HotSegments } from './hot-segments.js'
import { KnownBatch } from './known-batches.js'
import { type HotRecord, Slab, SlabPool } from './record-slabs.js'

/** Shorter batches are summed up anew each time: that costs no more than to remember them. */
const rememberedBytes = 2048

/** Where a chunk begins in a segment, and how much of the log there can be from there on. */
interface HotPlace {
  readonly segment: HotSegment
  readonly at: number
  readonly limit: number
}

export class HotReader {
  readonly #now: NowFiles
  readonly #bounds: LogBounds
  readonly #segmentBytes: number
  readonly #segments: HotSegments
  readonly #pages = new IndexPages()
  /** Holds one batch, and nothing between calls. */
  readonly #scratch: Target
  readonly #pool = new SlabPool()
  /** Of the record that was brought to the scratch. */
  #frameBytes = 0
  #time = 0

  /** @param now of this thread and this log alone, as file systems differ */
  constructor(now: NowFiles, files: SegmentFiles, bounds: LogBounds) {
    this.#now = now
    this.#bounds = bounds
    this.#segmentBytes = files.segmentBytes
    this.#scratch = now.target(maxHotBatchBytes)
    const onClose = () => this.#pages.clear()
    this.#segments = new HotSegments({ now, files, bounds, scratch: this.#scratch, budget: { used: 0 }, onClose })
  }

  /** False: it was found that this system, or the file system of the log, cannot do it. */
  get isSupported(): boolean {
    return this.#now.isSupported
  }

  /** @returns undefined: ask a reader thread */
  find(topic: number, offset: number): HotRecord | undefined {
    const at = this.#fetch(topic, offset)
    return at < 0 ? undefined : this.#put(this.#pool.slabFor(this.#frameBytes), at, offset)
  }

  /**
   * Records that share their memory.
   * @param offsets negative ones are left out
   * @returns in their order; undefined: ask a reader thread
   */
  findMany(topic: number, offsets: readonly number[]): (HotRecord | undefined)[] {
    const records: (HotRecord | undefined)[] = []
    let slab = Slab.first()
    let bytes = 0
    for (const offset of offsets) {
      const at = offset < 0 || bytes > maxAnswerBytes ? -1 : this.#fetch(topic, offset)
      if (at < 0) {
        records.push(undefined)
        continue
      }
      const size = this.#frameBytes
      if (size > slab.room) slab = slab.behind(size)
      records.push(this.#put(slab, at, offset))
      bytes += size
    }
    return records
  }

  /**
   * A short chunk that begins with the record at `offset`, for who has just come; as `TopicReader.read` answers.
   * @returns undefined: ask a reader thread
   */
  chunk(topic: number, offset: number, to: number): Chunk | undefined {
    const published = this.#bounds.published()
    const near = this.#near(topic, offset, published)
    if (near <= 0 || this.#found === undefined) return undefined
    const segment = this.#found
    const place = { segment, at: near, limit: Math.min(published - segment.base, this.#segmentBytes) - near }
    for (let length = Math.min(hotChunkBytes, place.limit); length > 0; ) {
      const target = this.#now.target(length)
      const chunk = this.#chunkAt({ topic, offset, to }, place, target, length)
      if (typeof chunk !== 'number') return chunk
      length = chunk
    }
    return undefined
  }

  /**
   * The one behind another, at its `resume`. What is read so is verified once: not by each who reads it.
   * @param into memory that the caller has for all of them; undefined: each has its own
   * @returns undefined: ask a reader thread
   */
  chunkBehind(
    { position, isSparse }: Resume,
    topic: number,
    offset: number,
    to: number,
    into?: Target,
  ): Chunk | undefined {
    if (isSparse) return undefined
    const published = this.#bounds.published()
    const segments = this.#segments
    segments.touch()
    const segment = segments.get(Math.floor(position / this.#segmentBytes))
    if (segment === undefined) {
      segments.widen()
      return undefined
    }
    const at = Math.max(position - segment.base, segmentHeaderBytes)
    const limit = Math.min(published - segment.base, this.#segmentBytes) - at
    const length = Math.min(into?.bytes.length ?? chunkBytes, limit)
    if (length <= 0) return undefined
    const target = into ?? this.#now.target(length)
    const chunk = this.#chunkAt({ topic, offset, to }, { segment, at, limit }, target, length)
    return typeof chunk === 'number' ? undefined : chunk
  }

  /** A number: as many bytes are needed for the first batch. */
  #chunkAt(
    wanted: Wanted,
    { segment, at, limit }: HotPlace,
    target: Target,
    length: number,
  ): Chunk | number | undefined {
    if (!segment.read(target, 0, at, length)) return undefined
    const { base, verified } = segment
    const { offset, to } = wanted
    const bytes = target.bytes.subarray(0, length)
    const walked = walkChunk(wanted, { bytes, pinned: verified, base, at, limit }, false)
    const { stop, scanned, needed, kept, first, next, firstBeyond } = walked
    if (stop === 'partial' && scanned === 0 && needed > length && needed <= maxHotBatchBytes) return needed
    if (first < 0 || first > offset || next <= offset) return undefined
    const end = stop === 'seal' ? base + this.#segmentBytes + segmentHeaderBytes : base + at + scanned
    const position = firstBeyond >= 0 ? base + at + firstBeyond : end
    const resume = { position, isSparse: kept < scanned * sparseShare }
    return {
      bytes: kept > length / 2 ? bytes.subarray(0, kept) : bytes.slice(0, kept),
      next: Math.min(next, to),
      resume,
    }
  }

  /** Memory for chunks. */
  target(): Target {
    return this.#now.target(chunkBytes)
  }

  /** Closes the files of deleted segments, whose space is not free before. */
  dropDeleted(): void {
    this.#segments.dropDeleted()
  }

  /** Resolves when what was begun to be opened is open: for tests. */
  settled(): Promise<void> {
    return this.#segments.settled()
  }

  /** Gives all files back. */
  close(): Promise<void> {
    return this.#segments.close()
  }

  /** The segment that {@link #near} speaks of. */
  #found: HotSegment | undefined

  /** As {@link HotSegment.batchNear}, in all that are open. */
  #near(topic: number, offset: number, published: number): number {
    const segments = this.#segments
    segments.touch()
    for (const segment of segments.newestFirst) {
      const near = segment.batchNear(topic, offset, published, this.#pages, this.#scratch)
      if (near === 0) continue
      this.#found = segment
      return near
    }
    this.#found = undefined
    segments.widen()
    return 0
  }

  /** Out of the scratch. */
  #put(slab: Slab, from: number, offset: number): HotRecord {
    return slab.put(this.#scratch, from, this.#frameBytes, offset, this.#time)
  }

  /** Brings a record out of a verified batch to the scratch. Returns where its frame stands there; -1: it is not to be had here. */
  #fetch(topic: number, offset: number): number {
    const published = this.#bounds.published()
    const near = this.#near(topic, offset, published)
    const segment = this.#found
    if (near <= 0 || segment === undefined) return -1
    const known = segment.known.get(near)
    const at = known === undefined ? -1 : this.#fetchKnown(segment, near, known, topic, offset)
    if (at >= 0) return at
    const verified = this.#verify(segment, near, published, topic, offset)
    // It may stand in a segment that is newer than all that are open.
    if (verified < 0) this.#segments.keepUp()
    return verified
  }

  /** The same where the batch was verified before. */
  #fetchKnown(segment: HotSegment, near: number, known: KnownBatch, topic: number, offset: number): number {
    const { frame } = segment
    let from = frame
    let to = near + known.bytes
    if (frame === 0) {
      if (!known.find(topic, offset)) return -1
      from = near + known.from
      to = near + known.to
    } else {
      const length = segment.frameBytes
      if (frame < near + batchHeaderBytes || length > to - frame) return -1
      to = frame + length
    }
    if (!segment.read(this.#scratch, 0, from, to - from)) return -1
    this.#time = known.time
    return this.#frameIn(0, to - from, topic, offset)
  }

  /** Looks through the batches from `near` on for the one with the record, and verifies that one. */
  #verify(segment: HotSegment, near: number, published: number, topic: number, offset: number): number {
    const { base } = segment
    const scratch = this.#scratch
    const limit = Math.min(published - base, this.#segmentBytes) - near
    const length = Math.min(lookBytes, limit)
    if (length < batchHeaderBytes || !segment.read(scratch, 0, near, length)) return -1
    for (let at = 0; at + batchHeaderBytes <= length; ) {
      const header = readBatchHeader(scratch.bytes, at, base + near + at, limit - at)
      if (header === undefined) return -1
      const isLong = at + header.bytes > length
      const mayHold = (header.topic === topic || header.topic === mixedTopics) && header.count > 0
      if (isLong) {
        // A look begins with it, or does not mean it; and known batches were asked before.
        const isMeant = at === 0 && mayHold && header.bytes <= maxHotBatchBytes && segment.known.get(near) === undefined
        if (!isMeant || !segment.read(scratch, 0, near, header.bytes)) return -1
      }
      const frame = mayHold ? this.#frameIn(at + batchHeaderBytes, at + header.bytes, topic, offset) : -1
      if (frame < 0 && !isLong) {
        at += header.bytes
        continue
      }
      // Before anything of it is used, or remembered.
      if (!bodyMatches(scratch.bytes, at, header)) return -1
      if (header.bytes >= rememberedBytes)
        segment.known.add(
          near + at,
          segment.isMapped ? KnownBatch.withPlaces(header, scratch.words, at) : KnownBatch.withoutPlaces(header),
        )
      this.#time = header.time
      return frame
    }
    return -1
  }

  /** Finds the record in the scratch, and sets {@link #frameBytes}. */
  #frameIn(from: number, end: number, topic: number, offset: number): number {
    const { words } = this.#scratch
    for (
      let frame = from, next = frameEnd(words, frame, end);
      next > 0;
      frame = next, next = frameEnd(words, frame, end)
    ) {
      if (recordOffset(words, frame, topic) !== offset) continue
      this.#frameBytes = next - frame
      return frame
    }
    return -1
  }
}

/** What one answer may take: two MiB of messages are some 100 us of copying, beside a lookup for each. */
const maxAnswerBytes = 2 << 20
