/** One segment that is open for hot reading: its file, and what tells where records stand in it. */
import { frameBytes } from '../../format/frame-layout.js'
import { decodeDirectory, decodeFooter, entryWord, footerBytes } from '../../format/segment-layout.js'
import { maxHotTopics } from '../../limits.js'
import type { NowFile, NowFiles, Target } from '../../memory/read-now.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { VerifiedBatches } from '../files/verified-batches.js'
import type { IndexedSegment, IndexPages } from '../index/index-pages.js'
import { BatchMap } from './batch-map.js'
import { KnownBatches, type KnownBudget } from './known-batches.js'

/** The entries of a topic's records in the index of the segment. */
interface IndexedRecords {
  firstOffset: number
  count: number
  entriesAt: number
}

type Directory = ReadonlyMap<number, IndexedRecords>

/** A page of the index is not in memory. */
const coldPage = new Error('not in memory')

export class HotSegment implements IndexedSegment {
  readonly segment: number
  /** Position of its first byte. */
  readonly base: number
  /** As lookups in {@link IndexPages} want it. */
  readonly window: IndexedSegment['window']
  /** Verified through this file, each with what leads to its records. */
  readonly known: KnownBatches
  /** The same for who reads all of them in order. */
  readonly verified: VerifiedBatches
  /** Where {@link batchNear} says that the record itself stands; 0: it does not say. */
  frame = 0
  /** And what it takes. */
  frameBytes = 0
  readonly #segmentBytes: number
  readonly #file: NowFile
  /** Undefined: the map tells. */
  #directory: Directory | undefined
  #map: BatchMap | undefined
  #loading: Promise<unknown> | undefined

  private constructor(file: NowFile, files: SegmentFiles, segment: number, scratch: Target, budget: KnownBudget) {
    this.segment = segment
    this.base = files.base(segment)
    this.#segmentBytes = files.segmentBytes
    this.#file = file
    this.known = new KnownBatches(budget)
    this.verified = new VerifiedBatches(files.segmentBytes)
    this.window = {
      byteLength: files.segmentBytes,
      readInto: (target, targetAt, at, length) => {
        if (!file.read(scratch, 0, at, length)) throw coldPage
        target.set(scratch.bytes.subarray(0, length), targetAt)
      },
    }
  }

  /**
   * Off this thread.
   * @param scratch of who reads, at least a page of an index; used within calls only
   * @param isIndexed it has an index, or never will
   * @returns undefined: it cannot be opened now, or is one for reader threads
   */
  static async open(
    now: NowFiles,
    files: SegmentFiles,
    segment: number,
    scratch: Target,
    budget: KnownBudget,
    isIndexed: boolean,
  ): Promise<HotSegment | undefined> {
    const file = await now.open(files.path(segment), files.segmentBytes)
    if (file === undefined) return undefined
    const opened = new HotSegment(file, files, segment, scratch, budget)
    opened.#map = new BatchMap(opened.base, files.segmentBytes)
    if (!isIndexed || (await opened.loadIndex())) return opened
    await file.close()
    return undefined
  }

  /** True where a map tells where records are, and not the index of the segment. */
  get isMapped(): boolean {
    return this.#directory === undefined
  }

  /** True: the map knows all records there are, with less memory and fewer reads than an index. */
  get isWhole(): boolean {
    return this.#map?.isWhole === true
  }

  /** Goes over to the index of a segment that has got one. False: it has too many topics, or is packed. */
  loadIndex(): Promise<boolean> {
    const loading = this.#readDirectory().then((directory) => {
      if (directory === 'unfit') return false
      this.#directory = directory
      if (directory !== undefined) this.#map = undefined
      return true
    })
    this.#loading = loading
    return loading
  }

  /**
   * Where to begin looking for a record: a batch at or a little before its own. 0: not in this segment, as far as it is known; -1: it may be,
   * but what tells is not in memory.
   * @param published end of what is valid in the log
   */
  batchNear(topic: number, offset: number, published: number, pages: IndexPages, scratch: Target): number {
    this.frame = 0
    if (this.#directory === undefined) {
      this.#map?.catchUp(this.#readFront, scratch, published)
      return this.#map?.find(topic, offset) ?? 0
    }
    const row = this.#directory.get(topic)
    if (row === undefined || offset < row.firstOffset || offset >= row.firstOffset + row.count) return 0
    try {
      const word = pages.find(this, row.entriesAt, offset - row.firstOffset)
      const batch = pages.words[word + entryWord.batch]
      this.frame = pages.words[word + entryWord.frame]
      this.frameBytes = frameBytes(pages.words[word + entryWord.length])
      // Not covered by a checksum of its own: it may say anything. 0: lost.
      const isPlace = batch > 0 && batch % 8 === 0 && this.frame % 8 === 0 && this.frame > batch
      return isPlace && this.frame < this.#segmentBytes ? batch : -1
    } catch {
      return -1
    }
  }

  /** As {@link NowFile.read}. */
  read(target: Target, targetAt: number, at: number, length: number): boolean {
    return this.#file.read(target, targetAt, at, length)
  }

  /** False: it was deleted, packed or written anew, and keeps the space of what it was. As {@link NowFile.hasName}. */
  isCurrent(): Promise<boolean> {
    return this.#file.hasName()
  }

  async close(): Promise<void> {
    this.known.clear()
    await this.#loading
    await this.#file.close()
  }

  readonly #readFront = (target: Target, at: number, length: number): boolean => {
    return this.#file.read(target, 0, at, length)
  }

  /** Undefined: there is none that could be believed. */
  async #readDirectory(): Promise<Directory | 'unfit' | undefined> {
    const segmentBytes = this.#segmentBytes
    const end = segmentBytes - footerBytes
    const last = await this.#file.fetch(end, footerBytes)
    const footer = last && decodeFooter(last, this.base, segmentBytes)
    if (footer === undefined) return undefined
    // To unpack a block takes longer than a thread may be held up that must not wait.
    if (footer.topics > maxHotTopics || footer.tableAt !== 0) return 'unfit'
    const bytes = await this.#file.fetch(footer.directoryAt, end - footer.directoryAt)
    const rows = bytes && decodeDirectory(bytes, footer)
    if (rows === undefined) return undefined
    return new Map(
      rows.map(({ topic, firstOffset, count, entriesAt }) => [topic, { firstOffset, count, entriesAt }] as const),
    )
  }
}
