/**
 * Appending to the log: runs of frames become batches at the end of the active segment.
 *
 * One run is walked once (offsets are stamped in place), checksummed while it is in the cache, and copied once: short runs
 * into the mapping, long ones by one write to the same file, which spares their pages from being zeroed and faulted in.
 * A batch is visible to nobody until the caller publishes `position`, so what a failed write has left is taken back: counters, topics
 * and offsets are as before, and what reached the file is erased before anything is written in its place.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../../errors.js'
import { batchFlag, batchHeaderBytes, mixedTopics, writeBatchHeader } from '../../format/batch-layout.js'
import { groupCost, indexBytes, segmentHeaderBytes, segmentRoom } from '../../format/segment-layout.js'
import { declarationReserveBytes, directWriteBytes, gatherBytes, maxBatchBytes } from '../../limits.js'
import type { Window } from '../../memory/memory.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import { type Batch, BatchCutter, type FrameRun } from './batch-cutter.js'
import { MappingChoice } from './mapping-choice.js'
import { TailFile } from './tail-file.js'
import type { MovedTopic } from './topic-mover.js'
import type { TailState, TopicState } from './topic-state.js'
import { type Declaration, TopicTable } from './topic-table.js'

/** The counters of the tail, as they were before an append. */
interface TailMark {
  relative: number
  records: number
  recordCount: number
  recordBytes: number
  batchCount: number
}

function declarationsOnly(bytes: number, declares: readonly Declaration[]): Batch {
  const nothing = { from: 0, to: 0, records: 0, recordBytes: 0, topic: mixedTopics, flags: 0 }
  return { ...nothing, bytes: batchHeaderBytes + bytes, declares }
}

/** More than one append takes, so that a tail with enough in front of it does not look. */
const roomToLook = 2 * gatherBytes

const emptyRun: FrameRun = { bytes: new Uint8Array(0), words: new Uint32Array(0) }

/** What the records of a moved topic take: they keep their batches. */
export function movedBytes({ batches }: MovedTopic): number {
  return batches.reduce((sum, { frames }) => sum + frames.length + batchHeaderBytes, 0)
}

export class LogTail {
  readonly #files: SegmentFiles
  readonly #file: TailFile
  readonly #mapping: MappingChoice
  readonly #topics: TopicTable
  readonly #cutter: BatchCutter
  readonly #epoch: number
  readonly #now: () => number

  #segment: number
  #relative: number
  #records: number
  #time: number
  /** When the last append came, by the clock as it is: unlike the time of batches this may go back. */
  #appendedAt = 0

  /** Bytes of batches that went through the mapping: the share that can use pages faulted in ahead. */
  storedBytes = 0
  recordCount = 0
  recordBytes = 0
  batchCount = 0

  /**
   * @param mapsAlways the active segment is mapped whatever is appended to it: its pages are to be locked in memory
   * @param allocatedTo position up to which there are blocks; by default wherever there is a file
   */
  constructor(
    files: SegmentFiles,
    windows: SegmentWindows,
    tail: TailState,
    topics: readonly TopicState[],
    epoch: number,
    now: () => number,
    mapsAlways = false,
    allocatedTo = () => Number.POSITIVE_INFINITY,
  ) {
    this.#files = files
    this.#mapping = new MappingChoice(mapsAlways)
    this.#file = new TailFile(files, windows, this.#mapping, tail, allocatedTo)
    this.#topics = new TopicTable(tail, topics)
    this.#cutter = new BatchCutter(this.#topics)
    this.#epoch = epoch
    this.#now = now
    this.#segment = tail.segment
    this.#relative = tail.relative
    this.#records = tail.records
    this.#time = tail.time
  }

  get segment(): number {
    return this.#segment
  }

  /** Absolute position behind the last batch. */
  get position(): number {
    return this.#files.base(this.#segment) + this.#relative
  }

  get relative(): number {
    return this.#relative
  }

  get time(): number {
    return this.#time
  }

  next(topic: number): number {
    return this.#topics.next(topic)
  }

  first(topic: number): number {
    return this.#topics.first(topic)
  }

  takeTouched(): number[] {
    return this.#topics.takeTouched()
  }

  /** Takes a topic's name from its declaration, and writes nothing: whatever is written of the topic first declares it. */
  learn(run: FrameRun, at: number): void {
    this.#cutter.learn(run, at)
  }

  /**
   * Writes batches from the frames at `[from, to)` of the run, up to {@link gatherBytes} of them: one short one into the
   * mapping, or several by one write. The last batch ends in front of the first frame that begins an atomic group.
   * @param isFlushedSoon everything goes past the mapping, short batches too
   * @returns the bytes taken: less than asked for where that is enough, or where a frame is of a kind that only the ring
   *   knows; 0 where there is no room for the first frame (see {@link blocksFor})
   * @throws the error of the write, with the tail as it was before
   */
  append(run: FrameRun, from: number, to: number, isFlushedSoon = false): number {
    return this.#appendBatches(run, from, to, false, isFlushedSoon) - from
  }

  /**
   * Writes all frames of one atomic group, in as many batches as it takes, inside one segment.
   * @param isFlushedSoon as for {@link append}
   * @returns false where there is no room for the whole of it (see {@link blocksFor}); nothing was written
   * @throws the error of a write, with the tail as it was before: of a group there is all or nothing
   */
  appendGroup(run: FrameRun, from: number, to: number, records: number, isFlushedSoon = false): boolean {
    if (!this.#fits(groupCost(to - from, records))) return false
    const end = this.#appendBatches(run, from, to, true, isFlushedSoon)
    assert(end === to, 'a group that fits the segment is taken as a whole')
    return true
  }

  /** Returns where in the run the last batch ends. */
  #appendBatches(run: FrameRun, from: number, to: number, isGroup: boolean, isFlushedSoon: boolean): number {
    const before = this.#mark()
    const parts: Uint8Array[] = []
    let start = this.#relative
    let at = from
    this.#appendedAt = this.#now()
    // One time for all of them: see ring/batch-times.ts.
    this.#time = Math.max(this.#time, this.#appendedAt)
    try {
      while (at < to) {
        const batch = this.#cutter.cut(run, at, to, isGroup, this.#room())
        if (batch === undefined) break
        at = batch.to
        if (parts.length === 0 && batch.bytes < directWriteBytes && !isFlushedSoon) {
          this.#mapping.noteShort(batch.bytes)
          this.#store(run, batch)
          start = this.#relative
        } else {
          this.#gather(run, batch, parts)
          if (this.#relative - start < gatherBytes) continue
          start = this.#writeGathered(start, parts)
        }
        if (!isGroup) break
      }
      this.#writeGathered(start, parts)
      if (this.#relative - before.relative >= directWriteBytes) this.#mapping.noteLong()
    } catch (error) {
      this.#cutter.unstamp(run, from, at)
      this.#takeBack(before)
      throw error
    }
    return at
  }

  /**
   * Seals the active segment, which must have all of its blocks, and goes on in the next, which must be prepared.
   * The caller publishes the position as after an append.
   */
  roll(): void {
    const at = this.#relative
    this.#file.lookForBlocks()
    assert(
      this.#file.blocks === this.#files.segmentBytes,
      'a segment that is left has its blocks, at the back too: its index goes there',
    )
    this.#file.use((window) => this.#seal(window, at))
    this.#mapping.enterNext(at)
    this.#file.enterNext()
    this.#segment += 1
    this.#topics.enter(this.#segment)
    this.#relative = segmentHeaderBytes
    this.#records = 0
  }

  /** Opens the next segment ahead of its use; mapped, its pages can be faulted in by somebody else. */
  openNext(): void {
    this.#file.openNext(this.#mapping.mayMapNext(this.#relative))
  }

  /**
   * Declares anew every topic whose only declaration is in a segment below `segment`, which is about to be deleted.
   * @returns false where the active segment has no room ({@link roll} first, then call again)
   */
  redeclareBelow(segment: number): boolean {
    const topics = this.#topics
    for (;;) {
      const due: Declaration[] = []
      let declaredBytes = 0
      let bytes = 0
      for (const id of topics.declaredBelow(segment)) {
        const cost = topics.declarationBytes(id) + topics.rowBytes(id)
        if (batchHeaderBytes + bytes + cost > this.#room() + declarationReserveBytes) {
          if (due.length === 0) return false
          break
        }
        bytes += cost
        declaredBytes += topics.declarationBytes(id)
        due.push({ id, next: topics.next(id) })
        if (bytes > maxBatchBytes) break
      }
      if (due.length === 0) return true
      this.#store(emptyRun, declarationsOnly(declaredBytes, due))
      for (const { id } of due) topics.declare(id)
    }
  }

  /**
   * Makes messages of a topic below `before` unreadable, by declaring it anew. Uses the segment's reserve, so that it
   * works on a full disk.
   * @returns false where even that is used up ({@link roll} first, then call again)
   */
  trim(id: number, before: number): boolean {
    const topics = this.#topics
    const previous = topics.first(id)
    const first = topics.raisedFirst(id, before)
    if (first === previous) return true
    const bytes = topics.declarationBytes(id)
    if (batchHeaderBytes + bytes + topics.rowBytes(id) > this.#room() + declarationReserveBytes) return false
    topics.setFirst(id, first)
    try {
      this.#store(emptyRun, declarationsOnly(bytes, [{ id, next: topics.next(id) }]))
    } catch (error) {
      topics.setFirst(id, previous)
      throw error
    }
    topics.declare(id)
    topics.touch(id)
    return true
  }

  /**
   * Messages of a topic below `before` go with their segments. Nothing is written: that their segments are gone says as much to
   * the next owner.
   */
  forget(id: number, before: number): void {
    const first = this.#topics.raisedFirst(id, before)
    if (first === this.#topics.first(id)) return
    this.#topics.setFirst(id, first)
    this.#topics.touch(id)
  }

  /**
   * Writes all live records of a topic anew, with their offsets and times, as one atomic group: the copies in older segments do
   * not count any more. A crash leaves all of it or nothing, and either is right.
   *
   * Invariant: the index of a segment holds one unbroken run of each topic. So nothing of the topic may stand in this
   * segment already, and the copy must reach to the next append.
   * @returns `stale`: the topic has changed since it was read, or has records here; `full`: {@link roll} first
   */
  moveForward(moved: MovedTopic): 'moved' | 'stale' | 'full' {
    const { topic: id, first, end, batches } = moved
    const topics = this.#topics
    if (topics.isHere(id) || topics.next(id) !== end || topics.first(id) !== first) return 'stale'
    if (!this.#fits(groupCost(movedBytes(moved), end - first))) return 'full'
    const before = this.#mark()
    topics.noteReplaced(id)
    topics.declare(id)
    try {
      for (const [index, { frames: bytes, records, time }] of batches.entries()) {
        const flags = index < batches.length - 1 ? batchFlag.continues : 0
        const declares = index === 0 ? [{ id, next: first }] : []
        const size = batchHeaderBytes + (index === 0 ? topics.declarationBytes(id) : 0) + bytes.length
        const run = { bytes, words: new Uint32Array(bytes.buffer) }
        const counts = { bytes: size, records, recordBytes: 0 }
        this.#store(run, { from: 0, to: bytes.length, ...counts, topic: id, flags, declares, time })
      }
    } catch (error) {
      this.#takeBack(before)
      throw error
    }
    // They were counted when they were appended.
    this.recordCount = before.recordCount
    return 'moved'
  }

  /** Bytes that the active segment can still take, beyond what its seal and index will need. */
  #roomInSegment(): number {
    const index = indexBytes(this.#records, this.#topics.here, this.#topics.nameBytes)
    return segmentRoom(this.#files.segmentBytes, this.#relative, index)
  }

  /** The same where there are blocks. How far they go is looked at when there seem to be too few for `bytes`. */
  #room(bytes = roomToLook): number {
    const isNearEnd = segmentRoom(this.#file.blocks, this.#relative, 0) < bytes
    if (isNearEnd && this.#file.blocks < this.#files.segmentBytes) this.#file.lookForBlocks()
    return Math.min(this.#roomInSegment(), segmentRoom(this.#file.blocks, this.#relative, 0))
  }

  #fits(bytes: number): boolean {
    return bytes <= this.#room(bytes)
  }

  /**
   * How far blocks have to go before so much can be appended, and a trim behind it: into the next segment ({@link roll} then)
   * where the active one has no room, whatever is allocated.
   */
  blocksFor(bytes: number, records: number): number {
    const cost = groupCost(bytes, records)
    const isHere = cost <= this.#roomInSegment()
    const from = isHere ? this.position : this.#files.base(this.#segment + 1) + segmentHeaderBytes
    // All that segmentRoom keeps free.
    return from + cost - segmentRoom(0, 0, 0)
  }

  /** The active segment is not mapped, for what was appended last did not need it: see {@link mapIfQuiet}. */
  get isUnmapped(): boolean {
    return !this.#mapping.mayMap
  }

  /** Maps the active segment if nothing has been appended for a while: what comes next is probably short. */
  mapIfQuiet(): void {
    if (this.#mapping.isQuietNow(this.#now() - this.#appendedAt)) this.#file.use(() => {})
  }

  /** Puts a short batch into the mapping, or into the file where there is none. */
  #store(run: FrameRun, batch: Batch): void {
    this.#file.use((window) => {
      this.#file.claim(window, this.#relative, this.#relative + batch.bytes)
      const at = window.place(this.#relative, batch.bytes)
      const target = window.bytes
      const frames = run.bytes.subarray(batch.from, batch.to)
      const body = this.#putHead(target, this.#file.wordsOf(target), at, frames, batch)
      target.set(frames, body)
      window.commit(this.#relative, batch.bytes)
      if (window.address !== 0) this.storedBytes += batch.bytes
    })
    this.#advance(batch)
  }

  /** Adds a batch to what will be written at once: its head from memory of its own, its frames from where they are. */
  #gather(run: FrameRun, batch: Batch, parts: Uint8Array[]): void {
    const frames = run.bytes.subarray(batch.from, batch.to)
    const head = new Uint8Array(batch.bytes - frames.length)
    this.#putHead(head, new Uint32Array(head.buffer), 0, frames, batch)
    parts.push(head, frames)
    this.#advance(batch)
  }

  /** Writes what was gathered since `from`; returns where the next begins. */
  #writeGathered(from: number, parts: Uint8Array[]): number {
    if (parts.length === 0) return from
    this.#file.write(from, this.#relative, parts)
    parts.length = 0
    return this.#relative
  }

  /** Writes the declarations of a batch at `at + 48`, then its header at `at`. Returns where its frames belong. */
  #putHead(target: Uint8Array, words: Uint32Array, at: number, frames: Uint8Array, batch: Batch): number {
    let body = at + batchHeaderBytes
    for (const each of batch.declares) body = this.#topics.putDeclaration(target, words, body, each)
    const declared = target.subarray(at + batchHeaderBytes, body)
    // The checksum is made of the frames in the ring, which are in the cache; recovery and readers check the copy.
    const declaredCrc = declared.length === 0 ? 0 : crc32(declared)
    // An empty array may have no memory at all, and of that Node's crc32 makes 0, whatever it started from.
    const bodyCrc = frames.length === 0 ? declaredCrc : crc32(frames, declaredCrc)
    const { bytes, records, topic, flags, time = this.#time } = batch
    writeBatchHeader(target, words, at, bytes, records, this.position, time, this.#epoch, topic, flags, bodyCrc)
    return body
  }

  #advance({ bytes, records, recordBytes }: Batch): void {
    this.#relative += bytes
    this.#records += records
    this.recordCount += records
    this.recordBytes += recordBytes
    this.batchCount += 1
  }

  /** What `#takeBack` goes back to. */
  #mark(): TailMark {
    this.#topics.beginAppend()
    return {
      relative: this.#relative,
      records: this.#records,
      recordCount: this.recordCount,
      recordBytes: this.recordBytes,
      batchCount: this.batchCount,
    }
  }

  /** Takes everything back that an append which failed has counted and written. */
  #takeBack(mark: TailMark): void {
    this.#relative = mark.relative
    this.#records = mark.records
    this.recordCount = mark.recordCount
    this.recordBytes = mark.recordBytes
    this.batchCount = mark.batchCount
    this.#topics.takeBack()
    this.#file.eraseFrom(this.#relative)
  }

  #seal(window: Window, relative: number): void {
    this.#file.claim(window, relative, relative + batchHeaderBytes)
    const at = window.place(relative, batchHeaderBytes)
    const target = window.bytes
    this.#time = Math.max(this.#time, this.#now())
    const { position } = this
    const words = this.#file.wordsOf(target)
    writeBatchHeader(
      target,
      words,
      at,
      batchHeaderBytes,
      0,
      position,
      this.#time,
      this.#epoch,
      mixedTopics,
      batchFlag.seal,
      0,
    )
    window.commit(relative, batchHeaderBytes)
  }
}
