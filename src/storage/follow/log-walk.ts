/** The way of a follower through a log that grows: each published batch is walked once, by the live index, as recovery and readers do. */
import { type DirectoryRow, segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFile, SegmentFiles } from '../files/segment-files.js'
import { LiveIndex } from '../index/live-index.js'
import { readSealedFile } from '../index/sealed-index.js'

/** What one step has met of a topic. */
export interface MetTopic {
  topic: number
  /** Empty: it was declared before. */
  name: string
  segment: number
  /** Records of it in the step. */
  count: number
  /** Offset behind its last record. */
  next: number
  /** First readable offset that its last declaration states. */
  readable: number
}

export interface WalkStep {
  /** The walk has come this far. */
  position: number
  topics: MetTopic[]
  /** Time of the newest batch, ms since the epoch; 0: there was none. */
  time: number
}

/** Followers far behind see the log grow, and are asked other things meanwhile. */
const usualStepBytes = 4 << 20

export class LogWalk {
  readonly #disk: Disk
  readonly #files: SegmentFiles
  readonly #stepBytes: number
  #position: number
  /** The segment that is being walked. */
  #open: { segment: number; file: SegmentFile } | undefined

  /** @param position the end of a batch, or of a segment's header */
  constructor(disk: Disk, files: SegmentFiles, position: number, stepBytes = usualStepBytes) {
    this.#disk = disk
    this.#files = files
    this.#position = position
    this.#stepBytes = stepBytes
  }

  /** Everything before was walked. */
  get position(): number {
    return this.#position
  }

  /** Somebody else has walked up to there. */
  pass(position: number): void {
    this.#position = Math.max(this.#position, position)
  }

  /**
   * Goes on to `published`, in steps of some MiB. What was deleted is passed over: its topics, if they go on, are declared behind it.
   * @param published the end of a batch; never beyond what is published: what stands there may be half written
   * @throws system errors; the next call goes on where this one has come to
   */
  *advance(published: number, trim: number): Generator<WalkStep> {
    if (this.#position < trim) this.#position = trim
    while (this.#position < published) {
      const segment = this.#files.segmentOf(this.#position)
      const base = this.#files.base(segment)
      const step = this.#step(segment, this.#position - base, Math.min(published - base, this.#files.segmentBytes))
      this.#position = base + step.end
      yield { position: this.#position, topics: step.topics, time: step.time }
    }
  }

  close(): void {
    this.#open?.file.close()
    this.#open = undefined
  }

  #step(segment: number, from: number, to: number): { topics: MetTopic[]; end: number; time: number } {
    const { segmentBytes } = this.#files
    // A page tells of a whole segment that was left long ago; and of one that was written anew, in which nothing stands where it stood.
    const isTold = to === segmentBytes && (from <= segmentHeaderBytes || this.#isMetAnew(segment))
    const sealed = isTold ? readSealedFile(this.#disk, this.#files, segment) : undefined
    if (sealed !== undefined) {
      const topics = sealed.rows.map((row) => walked(row, segment))
      return { topics, end: to, time: sealed.footer.lastTime }
    }
    const file = this.#fileOf(segment)
    // Deleted since it was published, or lost.
    if (file === undefined) return { topics: [], end: to, time: 0 }
    const index = new LiveIndex(this.#files.base(segment), segmentBytes, false)
    index.end = Math.max(from, segmentHeaderBytes)
    // Past damage: what is published goes on behind it.
    const window = new SalvageWindow(file)
    let isStopped = index.catchUp(window, to, true, { stepBytes: this.#stepBytes })
    // What was written at one moment is met in one step.
    while (!isStopped && index.groupEnd < index.end && index.end < to && !index.isSealed)
      isStopped = index.catchUp(window, to, true, { stepBytes: 1 })
    const topics = [...index.topics.values()].map((entries) => walked(entries, segment))
    // Behind the seal there is nothing to be walked.
    return { topics, end: isStopped || index.isSealed ? to : Math.max(index.end, from), time: index.lastTime }
  }

  #isMetAnew(segment: number): boolean {
    return this.#open?.segment !== segment && this.#files.generationOf(segment) > 0
  }

  #fileOf(segment: number): SegmentFile | undefined {
    if (this.#open?.segment === segment) return this.#open.file
    this.close()
    const file = this.#files.open(segment)
    if (file !== undefined) this.#open = { segment, file }
    return file
  }
}

/** What an index has met of a topic. */
export function walked({ topic, name, firstOffset, count, readable }: Walked, segment: number): MetTopic {
  return { topic, name, segment, count, next: firstOffset + count, readable }
}

type Walked = Pick<DirectoryRow, 'topic' | 'name' | 'firstOffset' | 'count' | 'readable'>
