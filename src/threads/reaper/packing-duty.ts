/**
 * Packing: sealed segments that nothing was appended to for long are packed, the oldest first, one at a time. A step of a block, then whatever
 * else the reaper has to do; while messages are appended it rests nine tenths of the time.
 *
 * ```
 *   idle --begin--> writing --> written --> idle
 *     ^                \--> failed ----------^
 * ```
 *
 * Order: the new file is whole, compared with the old one, and flushed; the log says, durably, that it has packed segments; nobody is in the
 * middle of a copy of the log, and the segment is still one of it; the file takes the name.
 */
import type { PackingOutlook } from '../../engine/stats.js'
import type { Compress } from '../../engine/terms.js'
import type { SegmentFooter } from '../../format/segment-layout.js'
import { maxPackRestMs, packLookMs, packRestShare, packRetryMs } from '../../limits.js'
import type { SharedState } from '../../ring/shared-state.js'
import { readSealedFile } from '../../storage/index/sealed-index.js'
import { bestCodec } from '../../storage/packed/codecs.js'
import { type PackedSize, SegmentPacking } from '../../storage/rewrite/segment-packing.js'
import { type RewriteTools, UnfitSegment } from '../../storage/rewrite/segment-rewrite.js'

/** Segments that are looked at in one step. */
const looksPerStep = 8
const never = Number.POSITIVE_INFINITY

export interface PackingDutyParts extends RewriteTools {
  state: SharedState<'reaper'>
  /** Undefined: nothing is packed, and what is packed stays so. */
  compress: Compress | undefined
  now(): number
  nowMs(): number
  /** Resolves after so many ms. */
  rest(ms: number): Promise<unknown>
}

/** What the reaper does for it. */
export interface PackingHost {
  /** Looks whether the log is still this process's. */
  isOwner(): boolean
  /** False while somebody copies the segments, or writes one anew. */
  mayReplace(): boolean
  /** From here on the log says, durably, that it has packed segments. */
  statePacked(): void
  packed(segment: number, size: PackedSize): void
  /** It could not be, and the log is none the worse for it. */
  failed(error: unknown): void
}

interface PackRun {
  readonly packing: SegmentPacking
  state: 'writing' | 'written' | 'failed'
  size?: PackedSize
  error?: unknown
}

class PackingGivenUp extends Error {}

export class PackingDuty {
  readonly #parts: PackingDutyParts
  readonly #host: PackingHost
  /** All below are packed, or stay as they are. */
  #next = 0
  /** The one at {@link #next} is old enough then, ms since the epoch. */
  #dueAt = 0
  #run: PackRun | undefined
  #running: Promise<void> | undefined
  #isAborted = false
  #lastMove = { published: -1, endedMs: 0 }

  constructor(parts: PackingDutyParts, host: PackingHost) {
    this.#parts = parts
    this.#host = host
  }

  /** A segment is being packed. */
  get isBusy(): boolean {
    return this.#run !== undefined
  }

  /** What was packed takes the name of its segment. */
  finish(): void {
    const run = this.#run
    if (run === undefined || run.state === 'writing' || !this.#host.mayReplace()) return
    this.#run = undefined
    const { packing, size, state, error } = run
    try {
      if (state === 'failed') throw error
      if (size === undefined || !this.#host.isOwner()) throw new UnfitSegment('the log belongs to another process')
      // Here and not before: nothing else of this thread comes between this and the rename.
      if (this.#isDeleted(packing.segment)) throw new UnfitSegment('it was deleted')
      this.#host.statePacked()
      packing.takeName()
      this.#next = packing.segment + 1
      this.#host.packed(packing.segment, size)
    } catch (failure) {
      packing.discard()
      if (failure instanceof UnfitSegment) this.#next = packing.segment + 1
      else {
        this.#dueAt = this.#parts.now() + packRetryMs
        this.#host.failed(failure)
      }
    }
  }

  /** Begins with the next segment that is old enough. Returns the ms after which there may be one. */
  begin(): number {
    const { compress, state, files, disk, now } = this.#parts
    if (compress === undefined || this.#isAborted || this.isBusy || state.reaperErrno.load() !== 0) return never
    const left = this.#dueAt - now()
    // A clock that was put back does not hold it up.
    if (left > 0 && left <= Math.max(packRetryMs, compress.afterMs)) return Math.min(left, packLookMs)
    this.#dueAt = 0
    if (!this.#host.mayReplace()) return never
    const end = files.segmentOf(state.indexed.load())
    this.#next = Math.max(this.#next, files.segmentOf(state.trim.load()))
    for (let looks = 0; looks < looksPerStep && this.#next < end; looks++) {
      const sealed = readSealedFile(disk, files, this.#next)
      // Without a footer it may be damaged: it stays as it is.
      if (sealed !== undefined && sealed.footer.tableAt === 0) {
        const dueAt = sealed.footer.lastTime + compress.afterMs
        if (dueAt <= now()) {
          this.#write(this.#next, compress)
          return never
        }
        this.#dueAt = dueAt
        return Math.min(dueAt - now(), packLookMs)
      }
      this.#next += 1
    }
    // Of those that are sealed next, the bell tells.
    return this.#next < end ? 0 : never
  }

  /** What becomes of a sealed segment. */
  outlook(segment: number, { tableAt, lastTime }: SegmentFooter): PackingOutlook {
    const { compress, now } = this.#parts
    if (tableAt !== 0) return { state: 'packed', at: undefined }
    if (compress === undefined) return { state: 'off', at: undefined }
    if (this.#run?.packing.segment === segment) return { state: 'running', at: undefined }
    if (segment < this.#next) return { state: 'unfit', at: undefined }
    const at = lastTime + compress.afterMs
    return at > now() ? { state: 'young', at } : { state: 'due', at: Math.max(now(), this.#dueAt) }
  }

  /** A segment was written anew for another reason, and may be one to be packed. */
  lookAgain(segment: number): void {
    this.#next = Math.min(this.#next, segment)
  }

  /** Gives up what is being packed. */
  async stop(): Promise<void> {
    this.#isAborted = true
    await this.#running
    this.#run?.packing.discard()
    this.#run = undefined
  }

  #write(segment: number, { codec = 'auto' }: Compress): void {
    const { state } = this.#parts
    const packing = new SegmentPacking(this.#parts, segment, codec === 'auto' ? bestCodec() : codec)
    const run: PackRun = { packing, state: 'writing' }
    this.#run = run
    this.#lastMove = { published: state.published.load(), endedMs: this.#parts.nowMs() }
    this.#running = packing
      .write(() => this.#turn(segment))
      .then(
        (size) => {
          run.size = size
          run.state = 'written'
        },
        (error) => {
          run.error = error
          run.state = 'failed'
        },
      )
      .finally(() => state.reaper.ring())
  }

  /** Between two blocks. */
  async #turn(segment: number): Promise<void> {
    const { state, nowMs, rest } = this.#parts
    const published = state.published.load()
    const isBusy = published !== this.#lastMove.published
    const restMs = isBusy ? Math.min(maxPackRestMs, (nowMs() - this.#lastMove.endedMs) * packRestShare) : 0
    await (restMs > 0 ? rest(restMs) : new Promise(setImmediate))
    if (this.#isAborted) throw new PackingGivenUp()
    if (this.#isDeleted(segment)) throw new UnfitSegment('it was deleted')
    this.#lastMove = { published, endedMs: nowMs() }
  }

  #isDeleted(segment: number): boolean {
    const { state, files } = this.#parts
    return files.base(segment) < state.trim.load()
  }
}
