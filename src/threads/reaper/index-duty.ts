/**
 * Indexing: a sealed segment whose data is durable gets index and footer. The writer has handed over where the records stand
 * (`storage/rows`), so that takes little, and is done at once. What has no rows is read, at the cost of whoever appends
 * meanwhile: where that is the most, it waits for a pause, unless the writer nears the bound it has to stop at.
 *
 * What this owner has written is not summed up again: the writer has made its checksums of the same bytes, and whoever reads a record
 * checks them. Headers that are read are checked, and all must add up; where it does not, the segment is walked once more, and nothing is believed.
 */
import { indexAnywayBytes, indexAnywaySegments, indexQuietMs } from '../../limits.js'
import type { Memory, Window } from '../../memory/memory.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { Disk } from '../../storage/files/disk.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { LiveIndex, type SpareEntries } from '../../storage/index/live-index.js'
import { catchUpByRows } from '../../storage/index/row-walk.js'
import { readSealedSegment } from '../../storage/index/sealed-index.js'
import { writeSegmentIndex } from '../../storage/index/segment-sealer.js'
import type { RowReader } from '../../storage/rows/rows.js'
import type { SideCollector } from '../../storage/side/side-collector.js'
import { errnoOf } from '../device-error.js'
import type { ReaperEvent } from './reaper-event.js'
import type { SideIndexDuty } from './side-index-duty.js'

/** Bytes of a sealed segment that are indexed in one turn of the event loop. */
const indexStepBytes = 4 << 20
/** The memory of an index is kept for the next one, which comes soon or not for long; that of topics with few records is not worth it. */
const spareMs = 1_000
const minSpareBytes = 64 << 10

export interface IndexDutyParts {
  state: SharedState<'reaper'>
  disk: Disk
  files: SegmentFiles
  /** Of this take-over. */
  epoch: number
  /** Reads segments without mapping them. */
  plainMemory: Memory
  /** Of what this take-over writes. */
  rows: RowReader
  /** Makes the side index of a segment in the walk that is made for its index. */
  sides: Pick<SideIndexDuty, 'collector' | 'publish'>
  nowMs(): number
  emit(event: ReaperEvent): void
}

export class IndexDuty {
  readonly #parts: IndexDutyParts
  /** Looks whether the log is still this process's. */
  readonly #isOwner: () => boolean
  #indexing: Promise<void> | undefined
  /** The end of the log when it was last seen to have moved, and when that was. */
  #lastMove = { published: -1, atMs: 0 }
  /** What of a sealed segment has rows. */
  #handedOver = { segment: -1, bytes: 0 }
  #spare: { entries: SpareEntries; sinceMs: number } | undefined

  constructor(parts: IndexDutyParts, isOwner: () => boolean) {
    this.#parts = parts
    this.#isOwner = isOwner
  }

  /** The indexing under way. */
  get running(): Promise<void> | undefined {
    return this.#indexing
  }

  /** There is a segment to index. */
  get isBehind(): boolean {
    return this.#unindexed() !== undefined
  }

  /** Indexes whatever can be, at once. */
  async finish(): Promise<void> {
    const { state } = this.#parts
    for (let last = -1; last < state.indexed.load() && this.#start(); await this.#indexing) last = state.indexed.load()
  }

  /** The oldest sealed segment without index and footer gets them. */
  ifDue(): void {
    const { state, files, nowMs } = this.#parts
    const published = state.published.load()
    if (published !== this.#lastMove.published) this.#lastMove = { published, atMs: nowMs() }
    if (this.#indexing !== undefined) return
    if (this.#spare !== undefined && nowMs() - this.#spare.sinceMs >= spareMs) this.#spare = undefined
    const segment = this.#unindexed()
    if (segment === undefined) return
    const isQuiet = nowMs() - this.#lastMove.atMs >= indexQuietMs
    const behind = Math.min(indexAnywayBytes, indexAnywaySegments * files.segmentBytes)
    const isNearBound = published - state.indexed.load() >= Math.max(behind, files.segmentBytes)
    if (isQuiet || isNearBound || this.#isHandedOver(segment)) this.#start()
  }

  /** The oldest sealed, durable segment without an index. */
  #unindexed(): number | undefined {
    const { state, files } = this.#parts
    const segment = files.segmentOf(state.indexed.load())
    if (segment >= state.activeSegment.load() || state.reaperErrno.load() !== 0) return undefined
    return state.durable.load() < files.base(segment + 1) ? undefined : segment
  }

  /** Most of the sealed segment need not be read. */
  #isHandedOver(segment: number): boolean {
    const { files, rows } = this.#parts
    if (this.#handedOver.segment !== segment) {
      this.#handedOver = { segment, bytes: rows.bytesIn(files.base(segment), files.base(segment + 1)) }
    }
    return this.#handedOver.bytes >= files.segmentBytes / 2
  }

  /** False: there is nothing to index. */
  #start(): boolean {
    const { state, files } = this.#parts
    const segment = this.#unindexed()
    if (segment === undefined) return false
    this.#indexing = this.#index(segment)
      .catch((error) => {
        const { errno, code } = errnoOf(error)
        this.#parts.emit({ type: 'error', what: `indexing segment ${files.base(segment)}`, code, errno })
      })
      .finally(() => {
        // Readers derive the index of a segment without footer themselves, so a failure here costs time, not data.
        state.indexed.store(files.base(segment + 1))
        this.#indexing = undefined
        state.writer.ringIfAsleep()
        state.reaper.ring()
      })
    return true
  }

  async #index(segment: number): Promise<void> {
    const { files, disk, plainMemory, epoch, sides } = this.#parts
    const base = files.base(segment)
    // One that was packed and has lost its footer: there is no place for entries, and who reads it derives them.
    if (files.isPacked(segment)) return
    const file = disk.open(files.path(segment), 'write')
    if (file === undefined) return
    try {
      if (readSealedSegment((at, length) => file.read(at, length), base, files.segmentBytes) !== undefined) return
      const window = plainMemory.open(files.path(segment), files.segmentBytes, 'read')
      let index: LiveIndex | undefined
      let collector = sides.collector()
      try {
        index = await this.#walk(window, segment, collector, epoch)
        if (index === undefined) {
          // What was collected in a walk that is not believed is not either.
          collector = sides.collector()
          index = await this.#walk(window, segment, collector)
        }
      } finally {
        window.close()
      }
      // A damaged segment keeps no footer: who reads it derives the index and meets the damage.
      if (index === undefined || !this.#isOwner()) return
      const footer = writeSegmentIndex(file, base, files.segmentBytes, index)
      // Before readers hear that there is a footer: they look for the other file then.
      if (collector !== undefined && index.addsUp) await sides.publish(segment, index, collector, footer)
      this.#spare = { entries: spareOf(index), sinceMs: this.#parts.nowMs() }
      this.#parts.emit({ type: 'indexed', segment })
    } finally {
      file.close()
    }
  }

  /**
   * The index of a segment that is whole; undefined: it is damaged, or does not add up where it was believed.
   * @param collector is told of records with keys and headers
   * @param trustedEpoch whose batches are believed, and what is said of them; by default nobody's
   */
  async #walk(
    window: Window,
    segment: number,
    collector: SideCollector | undefined,
    trustedEpoch?: number,
  ): Promise<LiveIndex | undefined> {
    const { files, rows } = this.#parts
    const { segmentBytes } = files
    const base = files.base(segment)
    const step = { stepBytes: indexStepBytes, trustedEpoch, onValid: collector?.batch, onExtended: collector?.record }
    const index = new LiveIndex(base, segmentBytes, true, this.#spare?.entries)
    const isSound = () => index.damages.length === 0 && (trustedEpoch === undefined || index.addsUp)
    // In steps, so that the thread's other duties are not held up by a large segment.
    while (!index.isSealed && isSound() && index.end < segmentBytes) {
      // Rows say nothing of times, keys and headers.
      if (trustedEpoch === undefined || collector !== undefined) index.catchUp(window, segmentBytes, true, step)
      else catchUpByRows(index, rows, window, { base, segmentBytes, stepBytes: indexStepBytes, trustedEpoch })
      await new Promise(setImmediate)
    }
    return index.isSealed && isSound() ? index : undefined
  }
}

function spareOf({ topics }: LiveIndex): SpareEntries {
  const large = [...topics.values()].filter(({ words }) => words.byteLength >= minSpareBytes)
  return new Map(large.map(({ topic, words }) => [topic, words]))
}
