/**
 * Writing batches at the end of the active segment: where the next one goes, what was written so far, and taking it back.
 *
 * Short batches go into the mapping, long ones are gathered for one write to the same file, which spares their pages from being zeroed and
 * faulted in. A batch is visible to nobody until the position is published, so of a write that fails nothing is left: the counters are
 * as before, and what reached the file is erased before anything is written in its place.
 */
import { crc32 } from 'node:zlib'
import { batchFlag, batchHeaderBytes, mixedTopics, writeBatchHeader } from '../../format/batch-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { RowWriter } from '../rows/rows.js'
import type { Batch, FrameRun } from './batch-cutter.js'
import type { TailFile } from './tail-file.js'
import type { TailState } from './topic-state.js'
import type { TopicTable } from './topic-table.js'

/** What {@link BatchWriter.takeBack} goes back to. */
export interface TailMark {
  readonly relative: number
  readonly records: number
  readonly recordCount: number
  readonly recordBytes: number
  readonly batchCount: number
  readonly rows: number
}

const noFrames = new Uint8Array(0)

const seal: Batch = {
  from: 0,
  to: 0,
  bytes: batchHeaderBytes,
  records: 0,
  recordBytes: 0,
  topic: mixedTopics,
  flags: batchFlag.seal,
  declares: [],
}

export class BatchWriter {
  readonly #files: SegmentFiles
  readonly #file: TailFile
  readonly #topics: TopicTable
  readonly #rows: RowWriter
  readonly #epoch: number
  #segment: number
  #relative: number
  #records: number
  #time: number
  /** What is to be written at once, and where: heads and frames in turn. */
  readonly #parts: Uint8Array[] = []
  #gatheredFrom: number

  /** Bytes of batches that went through the mapping: the share that can use pages faulted in ahead. */
  storedBytes = 0
  recordCount = 0
  recordBytes = 0
  batchCount = 0

  constructor(
    files: SegmentFiles,
    file: TailFile,
    topics: TopicTable,
    rows: RowWriter,
    tail: TailState,
    epoch: number,
  ) {
    this.#files = files
    this.#file = file
    this.#topics = topics
    this.#rows = rows
    this.#epoch = epoch
    this.#segment = tail.segment
    this.#relative = tail.relative
    this.#gatheredFrom = tail.relative
    this.#records = tail.records
    this.#time = tail.time
  }

  get segment(): number {
    return this.#segment
  }

  /** Where the next batch goes in it. */
  get relative(): number {
    return this.#relative
  }

  /** The same in the log. */
  get position(): number {
    return this.#files.base(this.#segment) + this.#relative
  }

  /** Records that the active segment holds. */
  get records(): number {
    return this.#records
  }

  /** Of the batches to come. */
  get time(): number {
    return this.#time
  }

  /** The time of batches never goes back, as clocks do. */
  raiseTime(now: number): void {
    this.#time = Math.max(this.#time, now)
  }

  /** Bytes that {@link gather} was given and {@link writeGathered} has not written. */
  get gatheredBytes(): number {
    return this.#relative - this.#gatheredFrom
  }

  /** Puts a short batch into the mapping, or into the file where there is none. Nothing is gathered. */
  store(run: FrameRun, batch: Batch): void {
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
    this.#gatheredFrom = this.#relative
  }

  /** Adds a batch to what will be written at once: its head from memory of its own, its frames from where they are. */
  gather(run: FrameRun, batch: Batch): void {
    const frames = run.bytes.subarray(batch.from, batch.to)
    const head = new Uint8Array(batch.bytes - frames.length)
    this.#putHead(head, new Uint32Array(head.buffer), 0, frames, batch)
    this.#parts.push(head, frames)
    this.#advance(batch)
  }

  writeGathered(): void {
    if (this.#parts.length === 0) return
    this.#file.write(this.#gatheredFrom, this.#relative, this.#parts)
    this.#parts.length = 0
    this.#gatheredFrom = this.#relative
  }

  /** Puts the seal behind the last batch. The position stays in front of it: {@link enterNext} comes next. */
  seal(): void {
    this.#file.use((window) => {
      this.#file.claim(window, this.#relative, this.#relative + batchHeaderBytes)
      const at = window.place(this.#relative, batchHeaderBytes)
      this.#putHead(window.bytes, this.#file.wordsOf(window.bytes), at, noFrames, seal)
      window.commit(this.#relative, batchHeaderBytes)
    })
  }

  /** The log goes on in the next segment. */
  enterNext(): void {
    this.#segment += 1
    this.#relative = segmentHeaderBytes
    this.#gatheredFrom = segmentHeaderBytes
    this.#records = 0
  }

  mark(): TailMark {
    this.#topics.beginAppend()
    return {
      relative: this.#relative,
      records: this.#records,
      recordCount: this.recordCount,
      recordBytes: this.recordBytes,
      batchCount: this.batchCount,
      rows: this.#rows.mark,
    }
  }

  /** Takes everything back that an append which failed has counted and written since. */
  takeBack(mark: TailMark): void {
    this.#relative = mark.relative
    this.#gatheredFrom = mark.relative
    this.#parts.length = 0
    this.#records = mark.records
    this.recordCount = mark.recordCount
    this.recordBytes = mark.recordBytes
    this.batchCount = mark.batchCount
    // Published by nobody: what is published was appended.
    this.#rows.takeBack(mark.rows, this.position)
    this.#topics.takeBack()
    this.#file.eraseFrom(this.#relative)
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

  #advance({ bytes, records, recordBytes, row }: Batch): void {
    if (row !== undefined) this.#rows.put(this.position, bytes, row)
    this.#relative += bytes
    this.#records += records
    this.recordCount += records
    this.recordBytes += recordBytes
    this.batchCount += 1
  }
}
