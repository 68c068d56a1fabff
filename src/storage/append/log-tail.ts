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
import { declarePayloadLength, writeDeclareFrame } from '../../format/frame-encoder.js'
import {
  declaredName,
  frameBytes,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  tailWord,
} from '../../format/frame-layout.js'
import { highWord, joinWords, lowWord } from '../../format/numbers.js'
import {
  directoryRowBytes,
  entryBytes,
  groupCost,
  indexBytes,
  segmentHeaderBytes,
  segmentRoom,
} from '../../format/segment-layout.js'
import {
  alignmentBytes,
  declarationReserveBytes,
  directWriteBytes,
  gatherBytes,
  maxBatchBytes,
  quietMsToMap,
  shortBatchesToMap,
  storedShareToMap,
} from '../../limits.js'
import type { Window } from '../../memory/memory.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import { DeclaredTopics } from './declared-topics.js'
import type { MovedTopic } from './topic-mover.js'
import type { TailState, TopicState } from './topic-state.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { length: lengthWord, topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord
const { data: dataKind, declare: declareKind } = frameKind
const { continues: continuesFlag } = frameFlag

const noTopic = -1
const continuesBit = continuesFlag << 24
const extendedBit = frameFlag.extended << 24

/** A run of frames in memory that the tail may stamp. */
export interface FrameRun {
  bytes: Uint8Array
  words: Uint32Array
}

/** One batch, cut from a run: its frames are `[from, to)`. */
interface Batch {
  from: number
  to: number
  /** With header and declarations. */
  bytes: number
  records: number
  recordBytes: number
  topic: number
  flags: number
  /** Of records that were moved forward; others get the time of this moment. */
  time?: number
}

/** The counters of the tail, as they were before an append. */
interface TailMark {
  relative: number
  records: number
  topicsHere: number
  nameBytes: number
  recordCount: number
  recordBytes: number
  batchCount: number
}

function declarationsOnly(bytes: number): Batch {
  return { from: 0, to: 0, bytes: batchHeaderBytes + bytes, records: 0, recordBytes: 0, topic: mixedTopics, flags: 0 }
}

/** Remains are erased with these. */
const zeros = new Uint8Array(256 << 10)

/** More than one append takes, so that a tail with enough in front of it does not look. */
const roomToLook = 2 * gatherBytes

const emptyRun: FrameRun = { bytes: new Uint8Array(0), words: new Uint32Array(0) }

/** What the records of a moved topic take: they keep their batches. */
export function movedBytes({ batches }: MovedTopic): number {
  return batches.reduce((sum, { frames }) => sum + frames.length + batchHeaderBytes, 0)
}

export class LogTail {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #epoch: number
  readonly #now: () => number

  #segment: number
  #relative: number
  /** How far the active segment has been written to: beyond its end only by a write that failed. */
  #writtenTo: number
  #records: number
  #topicsHere: number
  #nameBytes: number
  #time: number
  /** When the last append came, by the clock as it is: unlike the time of batches this may go back. */
  #appendedAt = 0

  // Per topic id, grown on demand.
  #next = new Float64Array(64)
  #first = new Float64Array(64)
  #touchedBy = new Int32Array(64)
  readonly #declared = new DeclaredTopics()
  readonly #names: string[] = []
  #batchSerial = 0

  /** Topics whose next or first offset changed since the last {@link takeTouched}. */
  #touched: number[] = []
  /** Topics that the batch being built declares, and where each stood before it. */
  readonly #undeclared: { id: number; next: number }[] = []
  /** What declarations of the append under way have replaced. */
  readonly #replaced: { id: number; declaredIn: number; first: number }[] = []
  #wordsOf: Uint8Array | undefined
  #words: Uint32Array = new Uint32Array(0)

  /** Everything goes past the mapping then, short batches too. */
  isFlushedSoon = false
  /** Bytes of batches that went through the mapping: the share that can use pages faulted in ahead. */
  storedBytes = 0
  recordCount = 0
  recordBytes = 0
  batchCount = 0
  readonly #mapsAlways: boolean
  /** See {@link storedShareToMap}. */
  #mayMap = true
  /** Short batches since the last long one, and their bytes in the active segment. */
  #shortBatches = 0
  #shortBytes = 0

  readonly #allocatedTo: () => number
  /** Up to here, relative to the active segment, there were blocks when that was last looked at. */
  #blocks = 0

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
    this.#mapsAlways = mapsAlways
    this.#allocatedTo = allocatedTo
    this.#files = files
    this.#windows = windows
    this.#epoch = epoch
    this.#now = now
    this.#segment = tail.segment
    this.#relative = tail.relative
    this.#writtenTo = tail.relative
    this.#records = tail.records
    this.#topicsHere = tail.topics
    this.#nameBytes = tail.nameBytes
    this.#time = tail.time
    // In the order of segments none has to look for its place.
    for (const topic of [...topics].sort((a, b) => a.declaredIn - b.declaredIn)) {
      this.#makeRoom(topic.id)
      this.#next[topic.id] = topic.next
      this.#first[topic.id] = topic.first
      this.#declared.put(topic.id, topic.declaredIn)
      this.#names[topic.id] = topic.name
    }
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
    return this.#next[topic]
  }

  first(topic: number): number {
    return this.#first[topic]
  }

  takeTouched(): number[] {
    const touched = this.#touched
    this.#touched = []
    this.#batchSerial += 1
    return touched
  }

  /**
   * Writes batches from the frames at `[from, to)` of the run, up to {@link gatherBytes} of them: one short one into the
   * mapping, or several by one write. The last batch ends in front of the first frame that begins an atomic group.
   * @returns the bytes taken: less than asked for where that is enough, or where a frame is of a kind that only the ring
   *   knows; 0 where there is no room for the first frame (see {@link blocksFor})
   * @throws the error of the write, with the tail as it was before
   */
  append(run: FrameRun, from: number, to: number): number {
    return this.#appendBatches(run, from, to, false) - from
  }

  /**
   * Writes all frames of one atomic group, in as many batches as it takes, inside one segment.
   * @returns false where there is no room for the whole of it (see {@link blocksFor}); nothing was written
   * @throws the error of a write, with the tail as it was before: of a group there is all or nothing
   */
  appendGroup(run: FrameRun, from: number, to: number, records: number): boolean {
    if (!this.#fits(groupCost(to - from, records))) return false
    const end = this.#appendBatches(run, from, to, true)
    assert(end === to, 'a group that fits the segment is taken as a whole')
    return true
  }

  /** Returns where in the run the last batch ends. */
  #appendBatches(run: FrameRun, from: number, to: number, isGroup: boolean): number {
    const before = this.#mark()
    const parts: Uint8Array[] = []
    this.#replaced.length = 0
    let start = this.#relative
    let at = from
    this.#appendedAt = this.#now()
    // One time for all of them: see ring/batch-times.ts.
    this.#time = Math.max(this.#time, this.#appendedAt)
    try {
      while (at < to) {
        const batch = this.#cut(run, at, to, isGroup)
        if (batch === undefined) break
        at = batch.to
        if (parts.length === 0 && batch.bytes < directWriteBytes && !this.isFlushedSoon) {
          this.#shortBatches += 1
          this.#shortBytes += batch.bytes
          this.#mayMap ||= this.#shortBatches >= shortBatchesToMap
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
      if (this.#relative - before.relative >= directWriteBytes) this.#shortBatches = 0
    } catch (error) {
      this.#unstamp(run, from, at)
      this.#takeBack(before)
      throw error
    }
    return at
  }

  /** Stamps the frames of one batch, as many from `from` on as it and the segment take. */
  #cut(run: FrameRun, from: number, to: number, isGroup: boolean): Batch | undefined {
    const { words } = run
    const serial = this.#batchSerial
    const room = this.#room()
    let at = from
    let spent = batchHeaderBytes
    let records = 0
    let recordBytes = 0
    let topic = noTopic
    let last = noTopic
    let declaredBytes = 0
    let tailFlags = 0
    const undeclared = this.#undeclared
    undeclared.length = 0

    while (at < to) {
      const word = at >>> 2
      const length = words[word + lengthWord]
      const size = frameBytes(length)
      const tail = words[word + tailWordAt]
      const kind = kindOf(tail)
      if (kind !== dataKind && kind !== declareKind) break
      if (!isGroup && (tail & continuesBit) !== 0) break
      if (spent > batchHeaderBytes && spent + size > maxBatchBytes) break
      const id = words[word + topicWord]
      let cost = size
      if (kind === dataKind) {
        cost += entryBytes
        if (id !== last && this.#declared.segmentOf(id) !== this.#segment) {
          const declaration = this.#declarationBytes(id)
          if (spent + cost + declaration + this.#rowBytes(id) > room) break
          // The declaration states where the topic stands before this batch, so it is noted before the first stamp.
          undeclared.push({ id, next: this.#next[id] })
          this.#replaced.push({ id, declaredIn: this.#declared.segmentOf(id), first: this.#first[id] })
          this.#declare(id)
          declaredBytes += declaration
          spent += declaration + this.#rowBytes(id)
        }
      } else {
        this.#makeRoom(id)
        cost += this.#declared.segmentOf(id) === this.#segment ? 0 : directoryRowBytes + length + alignmentBytes
      }
      if (spent + cost > room) break
      spent += cost

      if (kind === dataKind) {
        const offset = this.#next[id]
        words[word + offsetLowWord] = offset
        words[word + tailWordAt] = ((offset / 4294967296) & 0xffff) | (tail & 0xffff0000)
        this.#next[id] = offset + 1
        records += 1
        recordBytes += (tail & extendedBit) === 0 ? length : length - frameExtensionBytes
        if (id !== last) {
          topic = topic === noTopic || topic === id ? id : mixedTopics
          last = id
          if (this.#touchedBy[id] !== serial + 1) this.#touch(id)
        }
      } else {
        this.#takeDeclaration(run, at, id)
      }
      tailFlags = tail >>> 24
      at += size
    }
    if (at === from) return undefined
    const bytes = batchHeaderBytes + declaredBytes + (at - from)
    const flags = (tailFlags & continuesFlag) !== 0 ? batchFlag.continues : 0
    return { from, to: at, bytes, records, recordBytes, topic: topic === noTopic ? mixedTopics : topic, flags }
  }

  /**
   * Seals the active segment, which must have all of its blocks, and goes on in the next, which must be prepared.
   * The caller publishes the position as after an append.
   */
  roll(): void {
    const at = this.#relative
    this.#lookForBlocks()
    assert(
      this.#blocks === this.#files.segmentBytes,
      'a segment that is left has its blocks, at the back too: its index goes there',
    )
    this.#withWindow((window) => this.#seal(window, at))
    this.#mayMap = this.#mayMapNext
    this.#shortBytes = 0
    this.#segment += 1
    this.#blocks = 0
    this.#relative = segmentHeaderBytes
    this.#writtenTo = segmentHeaderBytes
    this.#records = 0
    this.#topicsHere = 0
    this.#nameBytes = 0
  }

  /** Opens the next segment ahead of its use; mapped, its pages can be faulted in by somebody else. */
  openNext(): void {
    // Once a segment, and not in the roll: a busy writer has no other time to give back what it has left.
    this.#windows.dropRetired()
    this.#windows.dropUnmappedBelow(this.#segment)
    this.#windows.acquire(this.#segment + 1, 'inOrder', this.#mayMapNext)
    this.#windows.release(this.#segment + 1)
  }

  /**
   * Declares anew every topic whose only declaration is in a segment below `segment`, which is about to be deleted.
   * @returns false where the active segment has no room ({@link roll} first, then call again)
   */
  redeclareBelow(segment: number): boolean {
    const due = this.#undeclared
    for (;;) {
      due.length = 0
      let declaredBytes = 0
      let bytes = 0
      for (const id of this.#declared.below(segment)) {
        const cost = this.#declarationBytes(id) + this.#rowBytes(id)
        if (batchHeaderBytes + bytes + cost > this.#room() + declarationReserveBytes) {
          if (due.length === 0) return false
          break
        }
        bytes += cost
        declaredBytes += this.#declarationBytes(id)
        due.push({ id, next: this.#next[id] })
        if (bytes > maxBatchBytes) break
      }
      if (due.length === 0) return true
      this.#store(emptyRun, declarationsOnly(declaredBytes))
      for (const { id } of due) this.#declare(id)
    }
  }

  /**
   * Makes messages of a topic below `before` unreadable, by declaring it anew. Uses the segment's reserve, so that it
   * works on a full disk.
   * @returns false where even that is used up ({@link roll} first, then call again)
   */
  trim(id: number, before: number): boolean {
    const first = Math.min(Math.max(this.#first[id], before), this.#next[id])
    if (first === this.#first[id]) return true
    const cost = batchHeaderBytes + this.#declarationBytes(id) + this.#rowBytes(id)
    if (cost > this.#room() + declarationReserveBytes) return false
    const { [id]: previous } = this.#first
    this.#first[id] = first
    const due = this.#undeclared
    due.length = 0
    due.push({ id, next: this.#next[id] })
    try {
      this.#store(emptyRun, declarationsOnly(this.#declarationBytes(id)))
    } catch (error) {
      this.#first[id] = previous
      throw error
    }
    this.#declare(id)
    this.#touch(id)
    return true
  }

  /**
   * Messages of a topic below `before` go with their segments. Nothing is written: that their segments are gone says as much to
   * the next owner.
   */
  forget(id: number, before: number): void {
    const first = Math.min(Math.max(this.#first[id], before), this.#next[id])
    if (first === this.#first[id]) return
    this.#first[id] = first
    this.#touch(id)
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
    if (this.#declared.segmentOf(id) === this.#segment || this.#next[id] !== end || this.#first[id] !== first)
      return 'stale'
    if (!this.#fits(groupCost(movedBytes(moved), end - first))) return 'full'
    const before = this.#mark()
    this.#replaced.length = 0
    this.#replaced.push({ id, declaredIn: this.#declared.segmentOf(id), first })
    const due = this.#undeclared
    due.length = 0
    due.push({ id, next: first })
    this.#declare(id)
    try {
      for (const [index, { frames: bytes, records, time }] of batches.entries()) {
        const flags = index < batches.length - 1 ? batchFlag.continues : 0
        const declared = index === 0 ? this.#declarationBytes(id) : 0
        const size = batchHeaderBytes + declared + bytes.length
        const run = { bytes, words: new Uint32Array(bytes.buffer) }
        this.#store(run, { from: 0, to: bytes.length, bytes: size, records, recordBytes: 0, topic: id, flags, time })
        due.length = 0
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
    const index = indexBytes(this.#records, this.#topicsHere, this.#nameBytes)
    return segmentRoom(this.#files.segmentBytes, this.#relative, index)
  }

  /** The same where there are blocks. How far they go is looked at when there seem to be too few for `bytes`. */
  #room(bytes = roomToLook): number {
    const isNearEnd = segmentRoom(this.#blocks, this.#relative, 0) < bytes
    if (isNearEnd && this.#blocks < this.#files.segmentBytes) this.#lookForBlocks()
    return Math.min(this.#roomInSegment(), segmentRoom(this.#blocks, this.#relative, 0))
  }

  #lookForBlocks(): void {
    const { segmentBytes } = this.#files
    this.#blocks = Math.min(segmentBytes, this.#allocatedTo() - this.#files.base(this.#segment))
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
    return !this.#mayMap
  }

  /** Maps the active segment if nothing has been appended for a while: what comes next is probably short. */
  mapIfQuiet(): void {
    if (this.#mayMap || Math.abs(this.#now() - this.#appendedAt) < quietMsToMap) return
    this.#mayMap = true
    this.#withWindow(() => {})
  }

  get #mayMapNext(): boolean {
    return this.#mapsAlways || this.#shortBytes >= this.#relative * storedShareToMap
  }

  #withWindow(use: (window: Window) => void): void {
    const { window } = this.#windows.acquire(this.#segment, 'inOrder', this.#mayMap)
    try {
      use(window)
    } finally {
      this.#windows.release(this.#segment)
    }
  }

  /** Puts a short batch into the mapping, or into the file where there is none. */
  #store(run: FrameRun, batch: Batch): void {
    this.#withWindow((window) => {
      this.#claim(window, this.#relative, this.#relative + batch.bytes)
      const at = window.place(this.#relative, batch.bytes)
      const target = window.bytes
      const frames = run.bytes.subarray(batch.from, batch.to)
      const body = this.#putHead(target, this.#wordsFor(target), at, frames, batch)
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
    this.#withWindow((window) => {
      this.#claim(window, from, this.#relative)
      window.write(from, parts)
    })
    parts.length = 0
    return this.#relative
  }

  /**
   * Before anything is written at `[from, to)`, the end of the log, what a failed write has left there and behind goes: whole batches,
   * at their right positions, which recovery would take for a part of the log. The last ones first: a crash in between leaves
   * the first batches of what failed, and no hole in front of others.
   */
  #claim(window: Window, from: number, to: number): void {
    assert(this.#writtenTo >= from, 'the log is written without a hole')
    assert(to <= this.#blocks, 'nothing is stored where there are no blocks')
    while (this.#writtenTo > from) {
      const at = Math.max(from, this.#writtenTo - zeros.length)
      window.write(at, [zeros.subarray(0, this.#writtenTo - at)])
      this.#writtenTo = at
    }
    this.#writtenTo = to
  }

  /** Writes the declarations of a batch at `at + 48`, then its header at `at`. Returns where its frames belong. */
  #putHead(target: Uint8Array, words: Uint32Array, at: number, frames: Uint8Array, batch: Batch): number {
    let body = at + batchHeaderBytes
    for (const { id, next } of this.#undeclared) body = this.#putDeclaration(target, words, body, id, next)
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

  #mark(): TailMark {
    return {
      relative: this.#relative,
      records: this.#records,
      topicsHere: this.#topicsHere,
      nameBytes: this.#nameBytes,
      recordCount: this.recordCount,
      recordBytes: this.recordBytes,
      batchCount: this.batchCount,
    }
  }

  /** Takes everything back that an append which failed has counted and written. */
  #takeBack(mark: TailMark): void {
    this.#relative = mark.relative
    this.#records = mark.records
    this.#topicsHere = mark.topicsHere
    this.#nameBytes = mark.nameBytes
    this.recordCount = mark.recordCount
    this.recordBytes = mark.recordBytes
    this.batchCount = mark.batchCount
    for (const { id, declaredIn, first } of this.#replaced.reverse()) {
      this.#declared.put(id, declaredIn)
      this.#first[id] = first
    }
    if (this.#writtenTo === this.#relative) return
    try {
      this.#withWindow((window) => this.#claim(window, this.#relative, this.#relative))
    } catch {
      // What has failed once may fail again; nothing is written before it has succeeded.
    }
  }

  #seal(window: Window, relative: number): void {
    this.#claim(window, relative, relative + batchHeaderBytes)
    const at = window.place(relative, batchHeaderBytes)
    const target = window.bytes
    this.#time = Math.max(this.#time, this.#now())
    const { position } = this
    const words = this.#wordsFor(target)
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

  #wordsFor(target: Uint8Array): Uint32Array {
    if (this.#wordsOf !== target) {
      this.#wordsOf = target
      this.#words = new Uint32Array(target.buffer, target.byteOffset, target.byteLength >>> 2)
    }
    return this.#words
  }

  #declarationBytes(id: number): number {
    return frameBytes(declarePayloadLength(this.#names[id]))
  }

  #rowBytes(id: number): number {
    return directoryRowBytes + this.#names[id].length + alignmentBytes
  }

  #putDeclaration(target: Uint8Array, words: Uint32Array, at: number, id: number, next: number): number {
    writeDeclareFrame(target, words, at, id, this.#names[id], this.#first[id], 0, next)
    return at + this.#declarationBytes(id)
  }

  /** A declaration that came through the ring, in front of a new topic's first message. */
  #takeDeclaration(run: FrameRun, at: number, id: number): void {
    const word = at >>> 2
    const payload = (at + frameHeaderBytes) >>> 2
    this.learn(run, at)
    const wanted = joinWords(run.words[payload], run.words[payload + 1])
    const first = Math.min(Math.max(this.#first[id], wanted), this.#next[id])
    this.#replaced.push({ id, declaredIn: this.#declared.segmentOf(id), first: this.#first[id] })
    this.#first[id] = first
    run.words[payload] = lowWord(first)
    run.words[payload + 1] = highWord(first)
    const tail = run.words[word + tailWordAt]
    run.words[word + offsetLowWord] = lowWord(this.#next[id])
    run.words[word + tailWordAt] = tailWord(highWord(this.#next[id]), declareKind, tail >>> 24)
    this.#declare(id)
    if (this.#touchedBy[id] !== this.#batchSerial + 1) this.#touch(id)
  }

  /** Takes a topic's name from its declaration, and writes nothing: whatever is written of the topic first declares it. */
  learn(run: FrameRun, at: number): void {
    const id = run.words[(at >>> 2) + topicWord]
    this.#makeRoom(id)
    if (this.#names[id] !== undefined) return
    this.#names[id] = declaredName(run.bytes, at + frameHeaderBytes, run.words[(at >>> 2) + lengthWord])
  }

  /** The active segment declares the topic: its index will have a row more. */
  #declare(id: number): void {
    if (this.#declared.segmentOf(id) === this.#segment) return
    this.#declared.put(id, this.#segment)
    this.#topicsHere += 1
    this.#nameBytes += this.#names[id].length
  }

  #touch(id: number): void {
    this.#touchedBy[id] = this.#batchSerial + 1
    this.#touched.push(id)
  }

  /** Takes the offsets of a batch that could not be written back. */
  #unstamp(run: FrameRun, from: number, to: number): void {
    for (let at = from; at < to; at += frameBytes(run.words[(at >>> 2) + lengthWord])) {
      const word = at >>> 2
      if (kindOf(run.words[word + tailWordAt]) === dataKind) this.#next[run.words[word + topicWord]] -= 1
    }
  }

  #makeRoom(id: number): void {
    if (id < this.#next.length) return
    let size = this.#next.length
    while (size <= id) size *= 2
    const grow = <A extends Float64Array | Int32Array>(from: A, to: A): A => {
      to.set(from as never)
      return to
    }
    this.#next = grow(this.#next, new Float64Array(size))
    this.#first = grow(this.#first, new Float64Array(size))
    this.#touchedBy = grow(this.#touchedBy, new Int32Array(size))
    assert(id < size, 'a topic id has a row')
  }
}
