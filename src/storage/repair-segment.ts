/**
 * Building a segment anew from what is whole of it: the same batches at the same places, gaps in the place of what is not,
 * and an index made from them. The new file takes the name of the old one when it is durable, in one step.
 */
import { crc32 } from 'node:zlib'
import { batchFlag, batchHeaderBytes, mixedTopics, writeBatchHeader } from '../format/batch-layout.js'
import { encodeDeclareFrame } from '../format/frame-layout.js'
import { encodeSegmentHeader, formatVersion, indexBytes, segmentHeaderBytes } from '../format/segment-layout.js'
import { maxBatchBytes } from '../limits.js'
import type { Memory, SystemCalls } from '../memory/memory.js'
import type { Disk, DiskFile } from './disk.js'
import { LiveIndex } from './live-index.js'
import { SalvageWindow } from './salvage-window.js'
import type { SegmentFiles } from './segment-files.js'
import { writeSegmentIndex } from './segment-sealer.js'
import type { LostRange } from './verify-report.js'

/** A topic that the segment has to declare anew, since its damage took where the topic goes on, or its name. */
export interface Amendment {
  topic: number
  name: string
  next: number
  readable: number
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
  const path = files.path(segment)
  const temporary = `${path}.new`
  const old = disk.open(path, 'read')
  const file = disk.create(temporary)
  try {
    calls.allocate(file.descriptor, segmentBytes)
    const source = old === undefined ? undefined : new SalvageWindow(old)
    const header = { version: formatVersion, segmentBytes, base, epoch: plan.epoch, created: plan.time }
    const kept = plan.keepsHeader ? source?.read(0, segmentHeaderBytes) : undefined
    file.write(0, kept ?? encodeSegmentHeader(header))
    const rest = new Writer(file, base, plan).write(source, segmentBytes)
    if (plan.isSealed) {
      const window = memory.open(temporary, segmentBytes, 'read')
      const index = new LiveIndex(base, segmentBytes)
      index.catchUp(window, segmentBytes, true)
      window.close()
      const entriesAt = segmentBytes - indexBytes(index.entryCount, index.topics.size, index.nameBytes)
      // Without room for it the segment does without an index, as one that was never indexed.
      if (index.isSealed && index.damages.length === 0 && entriesAt >= index.end) {
        writeSegmentIndex(file, base, segmentBytes, index)
      }
    }
    // A footer says that the data is durable: true from the moment on that the file has a name by which it is found.
    file.sync()
    disk.rename(temporary, path)
    disk.syncDirectory(files.directory)
    return rest
  } catch (error) {
    if (disk.list(files.directory).some((name) => temporary.endsWith(name))) disk.remove(temporary)
    throw error
  } finally {
    file.close()
    old?.close()
  }
}

class Writer {
  readonly #file: DiskFile
  readonly #base: number
  readonly #plan: SegmentPlan

  constructor(file: DiskFile, base: number, plan: SegmentPlan) {
    this.#file = file
    this.#base = base
    this.#plan = plan
  }

  write(old: SalvageWindow | undefined, segmentBytes: number): Amendment[] {
    const { ranges, isTailLost, isSealed, end } = this.#plan
    const inner = isTailLost ? ranges.slice(0, -1) : ranges
    const lostTail = isTailLost ? ranges.at(-1) : undefined
    // The seal is written anew, behind what may have to be added.
    const dataEnd = lostTail?.from ?? (isSealed ? end - batchHeaderBytes : end)
    let at = segmentHeaderBytes
    for (const { from, to, time } of inner) {
      this.#copy(old, at, from)
      this.#putGaps(from, to, time)
      at = to
    }
    this.#copy(old, at, dataEnd)
    at = dataEnd
    if (lostTail !== undefined && !isSealed) {
      // The log ends here, and went this far: positions are not used twice.
      at = Math.max(lostTail.to, at + batchHeaderBytes)
      this.#putGaps(lostTail.from, at, lostTail.time)
    } else if (lostTail !== undefined && lostTail.to - lostTail.from > batchHeaderBytes) {
      // Nothing stands behind it but the index, so its length has no meaning: room for the index is what counts.
      this.#putGaps(at, at + batchHeaderBytes, lostTail.time)
      at += batchHeaderBytes
    }
    const amended = this.#putAmendments(at, segmentBytes)
    at = amended.at
    if (isSealed) this.#putBatch(at, new Uint8Array(0), batchFlag.seal)
    return amended.rest
  }

  #copy(old: SalvageWindow | undefined, from: number, to: number): void {
    for (let at = from; old !== undefined && at < to; at += stepBytes) {
      this.#file.write(at, old.read(at, Math.min(stepBytes, to - at)))
    }
  }

  /** In pieces of a batch's usual size, since a reader takes a batch as a whole. */
  #putGaps(from: number, to: number, time: number): void {
    for (let at = from; at < to; ) {
      const left = to - at
      // The last piece must have room for its header.
      const length = left <= maxBatchBytes ? left : Math.min(maxBatchBytes, left - batchHeaderBytes)
      this.#putBatch(at, new Uint8Array(length - batchHeaderBytes), batchFlag.gap, time)
      at += length
    }
  }

  #putAmendments(at: number, segmentBytes: number): { at: number; rest: Amendment[] } {
    const rest: Amendment[] = []
    const frames: Uint8Array[] = []
    let bytes = 0
    // Behind them come the seal and the index.
    const room = segmentBytes - at - 2 * batchHeaderBytes - this.#plan.indexBytes
    for (const amendment of this.#plan.amendments) {
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
