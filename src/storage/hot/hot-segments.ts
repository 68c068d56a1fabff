/**
 * The segments that are open for hot reading: the newest ones, as many as were asked for, bounded. They are opened and closed off this
 * thread; whatever is not open yet is for reader threads meanwhile.
 *
 * An open file is whole, whatever happens to its segment: that it was deleted, packed or written anew, by this process or another, is seen within
 * a second, and its space given back.
 */
import { hotIdleMs, maxHotSegments } from '../../limits.js'
import type { NowFiles, Target } from '../../memory/read-now.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { LogBounds } from '../index/catalog.js'
import { HotSegment } from './hot-segment.js'
import type { KnownBudget } from './known-batches.js'

const lookMs = 1_000
/** How many are opened at first. */
const firstSegments = 4

export interface HotSegmentsParts {
  now: NowFiles
  files: SegmentFiles
  bounds: LogBounds
  scratch: Target
  budget: KnownBudget
  /** Some were closed. */
  onClose(): void
}

export class HotSegments {
  readonly #parts: HotSegmentsParts
  readonly #open = new Map<number, HotSegment>()
  /** What lookups go through: where a record stands twice, the newer one counts. */
  newestFirst: readonly HotSegment[] = []
  /** Open, being opened, or refused of late. */
  readonly #asked = new Set<number>()
  readonly #refused = new Set<number>()
  /** Openings and closings under way. */
  readonly #pending = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #idleLooks = 0
  #isClosed = false

  constructor(parts: HotSegmentsParts) {
    this.#parts = parts
  }

  /** Undefined: it is not open, or not yet. */
  get(segment: number): HotSegment | undefined {
    return this.#open.get(segment)
  }

  /** They are being used. */
  touch(): void {
    this.#idleLooks = 0
  }

  /** Opens the segments that were begun since. Returns whether there are any. */
  keepUp(): boolean {
    const { bounds, files } = this.#parts
    const last = files.segmentOf(bounds.published())
    if (this.#asked.has(last)) return false
    const first = Math.max(files.segmentOf(bounds.trim()), last - maxHotSegments + 1)
    // Down to what is asked for already; at first, some.
    let begun = 0
    for (let segment = last; segment >= first && !this.#asked.has(segment); segment--) {
      if (this.#asked.size === begun && begun === firstSegments) break
      this.#begin(segment)
      begun += 1
    }
    if (this.#asked.size > maxHotSegments) this.dropDeleted()
    return true
  }

  /** Opens more, as many as there are: the newest that are not asked for. */
  widen(): void {
    if (this.keepUp() || this.#pending.size > 0) return
    const { bounds, files } = this.#parts
    const last = files.segmentOf(bounds.published())
    const first = Math.max(files.segmentOf(bounds.trim()), last - maxHotSegments + 1)
    const asked = this.#asked.size
    for (let segment = last; segment >= first && this.#asked.size < 2 * asked; segment--)
      if (!this.#asked.has(segment)) this.#begin(segment)
  }

  /** Resolves when nothing is being opened or closed. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  /** Gives everything back, for good. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#closeAll()
    await this.settled()
  }

  /** Closes the files of segments that were deleted, so that their space comes back, and of those that are no longer among the newest. */
  dropDeleted(): void {
    const { bounds, files } = this.#parts
    const last = files.segmentOf(bounds.published())
    const first = Math.max(files.segmentOf(bounds.trim()), last - maxHotSegments + 1)
    this.#drop((segment) => segment < first)
  }

  #begin(segment: number): void {
    if (this.#isClosed) return
    this.#asked.add(segment)
    // An open log that is not read does not keep the process.
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref()
    const { now, files, scratch, budget } = this.#parts
    this.#await(
      HotSegment.open(now, files, segment, scratch, budget, this.#isIndexed(segment)).then(async (opened) => {
        if (opened === undefined) {
          this.#refused.add(segment)
          return
        }
        // Given back meanwhile; and perhaps asked for again.
        if (!this.#asked.has(segment) || this.#open.has(segment)) return opened.close()
        this.#open.set(segment, opened)
        this.#order()
      }),
    )
  }

  #isIndexed(segment: number): boolean {
    const { bounds, files } = this.#parts
    return files.base(segment + 1) <= bounds.indexed()
  }

  #look(): void {
    this.dropDeleted()
    for (const segment of this.#refused) this.#asked.delete(segment)
    this.#refused.clear()
    this.#idleLooks += 1
    if (this.#idleLooks * lookMs >= hotIdleMs) {
      this.#closeAll()
      return
    }
    this.#await(this.#dropReplaced())
    for (const opened of this.#open.values()) {
      if (!opened.isMapped || opened.isWhole || !this.#isIndexed(opened.segment)) continue
      // The map serves until it is there.
      this.#await(
        opened.loadIndex().then((isFit) => {
          if (!isFit) this.#dropOne(opened)
        }),
      )
    }
  }

  /** What is asked for again is opened anew, and is then what stands in its place. */
  async #dropReplaced(): Promise<void> {
    for (const opened of this.#open.values())
      if (this.#isIndexed(opened.segment) && !(await opened.isCurrent())) this.#dropOne(opened)
  }

  #closeAll(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#drop(() => true)
    this.#asked.clear()
    this.#refused.clear()
  }

  /** If it has not been closed meanwhile. */
  #dropOne(opened: HotSegment): void {
    this.#drop((segment) => this.#open.get(segment) === opened)
  }

  #drop(isUnwanted: (segment: number) => boolean): void {
    let hasClosed = false
    for (const segment of this.#asked) if (isUnwanted(segment)) this.#asked.delete(segment)
    for (const [segment, opened] of this.#open) {
      if (!isUnwanted(segment)) continue
      this.#open.delete(segment)
      this.#await(opened.close())
      hasClosed = true
    }
    if (!hasClosed) return
    this.#order()
    this.#parts.onClose()
  }

  #order(): void {
    this.newestFirst = [...this.#open.values()].sort((a, b) => b.segment - a.segment)
  }

  #await(work: Promise<void>): void {
    const pending = work.catch(() => {}).finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }
}
