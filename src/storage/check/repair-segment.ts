/**
 * Building a segment anew from what is whole of it: the same batches at the same places, gaps in the place of what is not,
 * and an index made from them. The new file takes the name of the old one when it is durable, in one step.
 */
import { crc32 } from 'node:zlib'
import { batchFlag, batchHeaderBytes, mixedTopics, writeBatchHeader } from '../../format/batch-layout.js'
import { encodeDeclareFrame } from '../../format/frame-encoder.js'
import { logMarkOf } from '../../format/log-id.js'
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  formatVersion,
  indexBytes,
  segmentHeaderBytes,
} from '../../format/segment-layout.js'
import { maxBatchBytes } from '../../limits.js'
import type { Memory, SystemCalls } from '../../memory/memory.js'
import type { Disk, DiskFile } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { Successor } from '../files/successor.js'
import { LiveIndex } from '../index/live-index.js'
import { writeSegmentIndex } from '../index/segment-sealer.js'
import { unpackedHeader } from '../packed/packed-table.js'
import type { LostRange } from './verify-report.js'

/** A topic that the segment has to declare anew at its end, since its damage took where the topic goes on. */
export interface Amendment {
  topic: number
  name: string
  next: number
  readable: number
}

/** A topic whose declaration the damage took: stated again where that was, with the offset at which the topic stood. */
export interface Restatement extends Amendment {
  /** Relative place of what the segment still holds of the topic first: too late for a declaration. */
  before: number
  goesOnAt: number
}

export interface SegmentPlan {
  segment: number
  /** Relative ranges without a valid batch, ascending, each with the time of the batch in front of it. */
  ranges: readonly LostRange[]
  /** Behind the last of them nothing valid follows in this segment. */
  isTailLost: boolean
  /** Relative end of what is whole, the seal included. */
  end: number
  isSealed: boolean
  /** The header is whole and stays as it is. */
  keepsHeader: boolean
  epoch: number
  /** Time of the last batch, and of the seal that is written. */
  time: number
  /** What the index will take, with the amendments in it. */
  indexBytes: number
  restated: readonly Restatement[]
  amendments: readonly Amendment[]
}

export interface RepairTools {
  disk: Disk
  files: SegmentFiles
  /** Opens windows without mapping. */
  memory: Memory
  calls: SystemCalls
}

const stepBytes = 1 << 20

/**
 * Order: everything that is not in the new file has been set aside and is durable (the caller's part); the new file is
 * whole and durable; it takes the name; the directory is flushed. A crash before the rename leaves the old segment.
 * @returns the amendments that found no room
 */
export function rebuildSegment(tools: RepairTools, plan: SegmentPlan): Amendment[] {
  const { disk, files, memory, calls } = tools
  const { segment } = plan
  const { segmentBytes } = files
  const base = files.base(segment)
  const old = files.open(segment)
  const successor = new Successor(disk, files, segment)
  const { file } = successor
  try {
    calls.allocate(file.descriptor, segmentBytes)
    const source = old === undefined ? undefined : new SalvageWindow(old)
    const logMark = logMarkOf(files.id)
    const { epoch, time: created } = plan
    const header = { version: formatVersion, segmentBytes, base, epoch, features: 0, created, generation: 0, logMark }
    const kept = plan.keepsHeader && source ? decodeSegmentHeader(source.read(0, segmentHeaderBytes)) : undefined
    file.write(0, encodeSegmentHeader(kept === undefined ? header : unpackedHeader(kept)))
    const rest = new SegmentRewriter(file, base, segmentBytes, plan).write(source)
    if (plan.isSealed) {
      const window = memory.open(successor.path, segmentBytes, 'read')
      const index = new LiveIndex(base, segmentBytes)
      index.catchUp(window, segmentBytes, true)
      window.close()
      // Where the batches had no room for a name, the index says it.
      for (const { topic, name } of rest) index.nameTopic(topic, name)
      const entriesAt = segmentBytes - indexBytes(index.entryCount, index.topics.size, index.nameBytes)
      // Without room for it the segment does without an index, as one that was never indexed.
      if (index.isSealed && index.damages.length === 0 && entriesAt >= index.end) {
        writeSegmentIndex(file, base, segmentBytes, index)
      }
    }
    // A footer says that the data is durable: true from the moment on that the file has a name by which it is found.
    successor.flush()
    successor.takeName()
    return rest
  } catch (error) {
    successor.discard()
    throw error
  } finally {
    old?.close()
  }
}

class SegmentRewriter {
  readonly #file: DiskFile
  readonly #base: number
  readonly #segmentBytes: number
  readonly #plan: SegmentPlan
  /** What has found no place yet. */
  #restated: readonly Restatement[]

  constructor(file: DiskFile, base: number, segmentBytes: number, plan: SegmentPlan) {
    this.#file = file
    this.#base = base
    this.#segmentBytes = segmentBytes
    this.#plan = plan
    this.#restated = plan.restated
  }

  write(old: SalvageWindow | undefined): Amendment[] {
    const { ranges, isTailLost, isSealed, end } = this.#plan
    const inner = isTailLost ? ranges.slice(0, -1) : ranges
    const lostTail = isTailLost ? ranges.at(-1) : undefined
    // The seal is written anew, behind what may have to be added.
    const dataEnd = lostTail?.from ?? (isSealed ? end - batchHeaderBytes : end)
    let at = segmentHeaderBytes
    for (const { from, to, time } of inner) {
      this.#copy(old, at, from)
      this.#putGaps(from, to, time, this.#restate(from, Math.min(to - from, maxBatchBytes) - batchHeaderBytes))
      at = to
    }
    this.#copy(old, at, dataEnd)
    at = dataEnd
    if (lostTail !== undefined && (!isSealed || lostTail.to - lostTail.from > batchHeaderBytes)) {
      const frames = this.#restate(at, Math.min(this.#room(at) - batchHeaderBytes, maxBatchBytes - batchHeaderBytes))
      const length = frames.reduce((sum, frame) => sum + frame.length, batchHeaderBytes)
      // Where the log ends here, it went this far: positions are not used twice. In front of a seal nothing stands behind it but the
      // index, so its length has no meaning: room for the index is what counts.
      const to = isSealed ? at + length : Math.max(lostTail.to, at + length)
      this.#putGaps(at, to, lostTail.time, frames)
      at = to
    }
    const amended = this.#putAmendments(at)
    at = amended.at
    if (isSealed) this.#putBatch(at, new Uint8Array(0), batchFlag.seal)
    return amended.rest
  }

  #copy(old: SalvageWindow | undefined, from: number, to: number): void {
    for (let at = from; old !== undefined && at < to; at += stepBytes) {
      this.#file.write(at, old.read(at, Math.min(stepBytes, to - at)))
    }
  }

  /** Declarations for a gap at `at` that has `room` for them: of topics that the segment holds nothing of in front of it. */
  #restate(at: number, room: number): Uint8Array[] {
    const frames: Uint8Array[] = []
    let bytes = 0
    this.#restated = this.#restated.filter(({ topic, next, readable, name, before }) => {
      const frame = encodeDeclareFrame(topic, next, readable, name)
      if (before <= at || bytes + frame.length > room) return true
      frames.push(frame)
      bytes += frame.length
      return false
    })
    return frames
  }

  /** Bytes from `at` on that may be used: behind them come the amendments' header, the seal and the index. */
  #room(at: number): number {
    return this.#segmentBytes - at - 2 * batchHeaderBytes - this.#plan.indexBytes
  }

  /**
   * In pieces of a batch's usual size, since a reader takes a batch as a whole.
   * @param frames declarations, at the start of the first
   */
  #putGaps(from: number, to: number, time: number, frames: readonly Uint8Array[]): void {
    let first = frames
    for (let at = from; at < to; ) {
      const left = to - at
      // The last piece must have room for its header.
      const length = left <= maxBatchBytes ? left : Math.min(maxBatchBytes, left - batchHeaderBytes)
      const body = new Uint8Array(length - batchHeaderBytes)
      body.set(Buffer.concat(first))
      first = []
      this.#putBatch(at, body, batchFlag.gap, time)
      at += length
    }
  }

  #putAmendments(at: number): { at: number; rest: Amendment[] } {
    const rest: Amendment[] = []
    const frames: Uint8Array[] = []
    let bytes = 0
    const room = this.#room(at)
    const { amendments } = this.#plan
    // No gap had room for these: here the topic stands where it goes on.
    const late = this.#restated.filter(({ topic }) => !amendments.some((amendment) => amendment.topic === topic))
    for (const amendment of [...amendments, ...late.map(({ goesOnAt, ...topic }) => ({ ...topic, next: goesOnAt }))]) {
      const frame = encodeDeclareFrame(amendment.topic, amendment.next, amendment.readable, amendment.name)
      if (bytes + frame.length > room) {
        rest.push(amendment)
        continue
      }
      bytes += frame.length
      frames.push(frame)
    }
    if (frames.length === 0) return { at, rest }
    this.#putBatch(at, Buffer.concat(frames), 0)
    return { at: at + batchHeaderBytes + bytes, rest }
  }

  #putBatch(at: number, body: Uint8Array, flags: number, time = this.#plan.time): void {
    const { epoch } = this.#plan
    const bytes = new Uint8Array(batchHeaderBytes + body.length)
    bytes.set(body, batchHeaderBytes)
    const bodyCrc = body.length === 0 ? 0 : crc32(body)
    const words = new Uint32Array(bytes.buffer)
    writeBatchHeader(bytes, words, 0, bytes.length, 0, this.#base + at, time, epoch, mixedTopics, flags, bodyCrc)
    this.#file.write(at, bytes)
  }
}
