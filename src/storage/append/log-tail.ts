/**
 * Appending to the log: runs of frames become batches at the end of the active segment.
 *
 * One run is walked once (`batch-cutter`: offsets are stamped in place), checksummed while it is in the cache, and copied once
 * (`batch-writer`). A batch is visible to nobody until the caller publishes `position`, so an append that fails is taken back as a whole.
 */
import { assert } from '../../errors.js'
import { batchFlag, batchHeaderBytes, mixedTopics } from '../../format/batch-layout.js'
import { groupCost } from '../../format/segment-layout.js'
import { declarationReserveBytes, directWriteBytes, gatherBytes, maxBatchBytes } from '../../limits.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { RowWriter } from '../rows/rows.js'
import { type Batch, BatchCutter, type FrameRun } from './batch-cutter.js'
import { BatchWriter } from './batch-writer.js'
import { MappingChoice } from './mapping-choice.js'
import { TailFile } from './tail-file.js'
import { TailRoom } from './tail-room.js'
import type { MovedTopic } from './topic-mover.js'
import type { TailState, TopicState } from './topic-state.js'
import { type Declaration, TopicTable } from './topic-table.js'

function declarationsOnly(bytes: number, declares: readonly Declaration[]): Batch {
  const nothing = { from: 0, to: 0, records: 0, recordBytes: 0, topic: mixedTopics, flags: 0 }
  return { ...nothing, bytes: batchHeaderBytes + bytes, declares }
}

const emptyRun: FrameRun = { bytes: new Uint8Array(0), words: new Uint32Array(0) }

/** What the records of a moved topic take: they keep their batches. */
export function movedBytes({ batches }: MovedTopic): number {
  return batches.reduce((sum, { frames }) => sum + frames.length + batchHeaderBytes, 0)
}

export interface LogTailParts {
  files: SegmentFiles
  windows: SegmentWindows
  tail: TailState
  topics: readonly TopicState[]
  rows: RowWriter
  epoch: number
  now(): number
  /** The active segment is mapped whatever is appended to it: its pages are to be locked in memory. */
  mapsAlways?: boolean | undefined
  /** Position up to which there are blocks; by default wherever there is a file. */
  allocatedTo?: (() => number) | undefined
}

/** See {@link LogTail.counts}. */
export interface AppendCounts {
  /** Bytes of batches that went through the mapping: the share that can use pages faulted in ahead. */
  readonly storedBytes: number
  readonly recordCount: number
  readonly recordBytes: number
  readonly batchCount: number
}

export class LogTail {
  readonly #files: SegmentFiles
  readonly #file: TailFile
  readonly #mapping: MappingChoice
  readonly #topics: TopicTable
  readonly #cutter: BatchCutter
  readonly #writer: BatchWriter
  readonly #room: TailRoom
  readonly #now: () => number
  /** When the last append came, by the clock as it is: unlike the time of batches this may go back. */
  #appendedAt = 0

  constructor(parts: LogTailParts) {
    const { files, windows, tail, topics, rows, epoch, now } = parts
    const { mapsAlways = false, allocatedTo = () => Number.POSITIVE_INFINITY } = parts
    this.#files = files
    this.#mapping = new MappingChoice(mapsAlways)
    this.#file = new TailFile(files, windows, this.#mapping, tail, allocatedTo)
    this.#topics = new TopicTable(tail, topics)
    this.#cutter = new BatchCutter(this.#topics)
    this.#writer = new BatchWriter(files, this.#file, this.#topics, rows, tail, epoch)
    this.#room = new TailRoom(files, this.#file, this.#topics, this.#writer)
    this.#now = now
  }

  get segment(): number {
    return this.#writer.segment
  }

  /** Absolute position behind the last batch. */
  get position(): number {
    return this.#writer.position
  }

  get relative(): number {
    return this.#writer.relative
  }

  get time(): number {
    return this.#writer.time
  }

  /** What was appended since the log was opened; of what was moved forward, only the bytes that were stored count. */
  get counts(): AppendCounts {
    return this.#writer
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
   * mapping, or several by one write. The last batch ends in front of the first frame that begins an atomic group, or has conditions of its own.
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
   * @param topics how many the group is of, or more
   * @returns false where there is no room for the whole of it (see {@link blocksFor}); nothing was written
   * @throws the error of a write, with the tail as it was before: of a group there is all or nothing
   */
  appendGroup(run: FrameRun, from: number, to: number, records: number, isFlushedSoon = false, topics = 1): boolean {
    if (!this.takesGroup(to - from, records, topics)) return false
    const end = this.#appendBatches(run, from, to, true, isFlushedSoon)
    assert(end === to, 'a group that fits the segment is taken as a whole')
    return true
  }

  /** {@link appendGroup} has room for so much. */
  takesGroup(bytes: number, records: number, topics: number): boolean {
    return this.#room.takes(groupCost(bytes, records, topics))
  }

  /** Returns where in the run the last batch ends. */
  #appendBatches(run: FrameRun, from: number, to: number, isGroup: boolean, isFlushedSoon: boolean): number {
    const writer = this.#writer
    const before = writer.mark()
    let at = from
    this.#appendedAt = this.#now()
    // One time for all of them: see ring/batch-times.ts.
    writer.raiseTime(this.#appendedAt)
    try {
      while (at < to) {
        const batch = this.#cutter.cut(run, at, to, isGroup, this.#room.bytes())
        if (batch === undefined) break
        at = batch.to
        if (writer.gatheredBytes === 0 && batch.bytes < directWriteBytes && !isFlushedSoon) {
          this.#mapping.noteShort(batch.bytes)
          writer.store(run, batch)
        } else {
          writer.gather(run, batch)
          if (writer.gatheredBytes < gatherBytes) continue
          writer.writeGathered()
        }
        if (!isGroup) break
      }
      writer.writeGathered()
      if (writer.relative - before.relative >= directWriteBytes) this.#mapping.noteLong()
    } catch (error) {
      this.#cutter.unstamp(run, from, at)
      writer.takeBack(before)
      throw error
    }
    return at
  }

  /**
   * Seals the active segment, which must have all of its blocks, and goes on in the next, which must be prepared.
   * The caller publishes the position as after an append.
   */
  roll(): void {
    const at = this.#writer.relative
    this.#file.lookForBlocks()
    assert(
      this.#file.blocks === this.#files.segmentBytes,
      'a segment that is left has its blocks, at the back too: its index goes there',
    )
    this.#writer.raiseTime(this.#now())
    this.#writer.seal()
    this.#mapping.enterNext(at)
    this.#file.enterNext()
    this.#writer.enterNext()
    this.#topics.enter(this.#writer.segment)
  }

  /** Opens the next segment ahead of its use; mapped, its pages can be faulted in by somebody else. */
  openNext(): void {
    this.#file.openNext(this.#mapping.mayMapNext(this.#writer.relative))
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
        if (batchHeaderBytes + bytes + cost > this.#room.bytes() + declarationReserveBytes) {
          if (due.length === 0) return false
          break
        }
        bytes += cost
        declaredBytes += topics.declarationBytes(id)
        due.push({ id, next: topics.next(id) })
        if (bytes > maxBatchBytes) break
      }
      if (due.length === 0) return true
      this.#writer.store(emptyRun, declarationsOnly(declaredBytes, due))
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
    if (batchHeaderBytes + bytes + topics.rowBytes(id) > this.#room.bytes() + declarationReserveBytes) return false
    topics.setFirst(id, first)
    try {
      this.#writer.store(emptyRun, declarationsOnly(bytes, [{ id, next: topics.next(id) }]))
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
    if (!this.#room.takes(groupCost(movedBytes(moved), end - first))) return 'full'
    const before = this.#writer.mark()
    topics.noteReplaced(id)
    topics.declare(id)
    try {
      for (const [index, { frames: bytes, records, time, ...batch }] of batches.entries()) {
        const flags = batch.flags | (index < batches.length - 1 ? batchFlag.continues : 0)
        const declares = index === 0 ? [{ id, next: first }] : []
        const size = batchHeaderBytes + (index === 0 ? topics.declarationBytes(id) : 0) + bytes.length
        const run = { bytes, words: new Uint32Array(bytes.buffer) }
        const counts = { bytes: size, records, recordBytes: 0 }
        this.#writer.store(run, { from: 0, to: bytes.length, ...counts, topic: id, flags, declares, time })
      }
    } catch (error) {
      this.#writer.takeBack(before)
      throw error
    }
    // They were counted when they were appended.
    this.#writer.recordCount = before.recordCount
    return 'moved'
  }

  /** See {@link TailRoom.blocksFor}. */
  blocksFor(bytes: number, records: number, topics?: number): number {
    return this.#room.blocksFor(bytes, records, topics)
  }

  /** The active segment is not mapped, for what was appended last did not need it: see {@link mapIfQuiet}. */
  get isUnmapped(): boolean {
    return !this.#mapping.mayMap
  }

  /** Maps the active segment if nothing has been appended for a while: what comes next is probably short. */
  mapIfQuiet(): void {
    if (this.#mapping.isQuietNow(this.#now() - this.#appendedAt)) this.#file.use(() => {})
  }
}
