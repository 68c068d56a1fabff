/**
 * The way of a follower through what is short, whole and in memory: for a thread that must not wait. It is walked by the same index as by
 * {@link LogWalk}; whatever is not plain (damage, the end of a segment, a page that is not in memory) is left to that.
 */
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { NowFile, NowFiles, Target } from '../../memory/read-now.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { type Legible, LiveIndex } from '../index/live-index.js'
import { type WalkStep, walked } from './log-walk.js'

/** Longer ones take a tenth of a millisecond. */
const maxShortBytes = 64 << 10

export class ShortWalk {
  readonly #now: NowFiles
  readonly #files: SegmentFiles
  readonly #target: Target
  /** Of the segment in which the last step was asked for. `file` is there when it is open. */
  #open: { readonly segment: number; file: NowFile | undefined } | undefined
  #isClosed = false

  constructor(now: NowFiles, files: SegmentFiles) {
    this.#now = now
    this.#files = files
    this.#target = now.target(maxShortBytes)
  }

  /**
   * The batches of a published stretch.
   * @param from the end of a batch, or of a segment's header
   * @param to the end of a batch
   * @returns undefined: not here
   */
  step(from: number, to: number): WalkStep | undefined {
    const { segmentBytes } = this.#files
    const segment = this.#files.segmentOf(from)
    const base = this.#files.base(segment)
    const [start, end] = [from - base, to - base]
    if (start < segmentHeaderBytes || end >= segmentBytes || end - start > maxShortBytes) return undefined
    if (this.#fileOf(segment)?.read(this.#target, 0, start, end - start) !== true) return undefined
    const index = new LiveIndex(base, segmentBytes, false)
    index.end = start
    const isStopped = index.catchUp(legible(this.#target, start), end, false)
    if (isStopped || index.isSealed || index.end !== end) return undefined
    const topics = [...index.topics.values()].map((entries) => walked(entries, segment))
    return { position: to, topics, time: index.lastTime }
  }

  /** Files below are gone, and keep their space while they are open. */
  dropBelow(position: number): void {
    if (this.#open !== undefined && this.#files.base(this.#open.segment + 1) <= position) this.#drop()
  }

  close(): void {
    this.#isClosed = true
    this.#drop()
  }

  /** Undefined: it is not open yet, or cannot be. */
  #fileOf(segment: number): NowFile | undefined {
    if (this.#open?.segment === segment) return this.#open.file
    this.#drop()
    const opening: { segment: number; file: NowFile | undefined } = { segment, file: undefined }
    this.#open = opening
    void this.#now.open(this.#files.path(segment), this.#files.segmentBytes).then((file) => {
      if (this.#isClosed || this.#open !== opening) void file?.close()
      else opening.file = file
    })
    return undefined
  }

  #drop(): void {
    void this.#open?.file?.close()
    this.#open = undefined
  }
}

/** A segment of which the target holds what stands from `start` on. */
function legible({ bytes }: Target, start: number): Legible {
  return {
    read: (at, length) => bytes.slice(at - start, at - start + length),
    readInto: (target, targetAt, at, length) => target.set(bytes.subarray(at - start, at - start + length), targetAt),
  }
}
