/**
 * Flushing: what somebody waits for at once, the rest when the interval is over or a segment is left. A flush is quick or it goes off
 * this thread; one is under way at a time. One that fails ends the log, one that could not even be tried is tried again.
 *
 * Each begins with a {@link Cut}, and answers with that: see ring/flush-way.ts.
 */
import { allocateRetryMs } from '../../limits.js'
import { FlushWay } from '../../ring/flush-way.js'
import type { LaneTable } from '../../ring/lane-table.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { Flusher } from '../../storage/files/flusher.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { isBug, isPassing } from '../device-error.js'
import type { ReaperEvent } from './reaper-event.js'

/** Flushes are done on this thread while they take less than this, up to so many in a turn and for so much data. */
const quickFlushMicros = 2_000
const flushesATurn = 8
const quickFlushBytes = 1 << 20

export interface FlushDutyParts {
  state: SharedState<'reaper'>
  lanes: LaneTable
  files: SegmentFiles
  flusher: Flusher
  flushIntervalMs: number
  nowMs(): number
  emit(event: ReaperEvent): void
}

/** What the reaper does for it. */
export interface FlushDutyHost {
  /** Whether the log is still this process's, or was a moment ago. */
  isOwner(): boolean
  giveUp(what: string, error: unknown): void
  /** Says in the control file how far the log is durable. */
  writeControl(): void
}

/** What a flush is about to make durable, and will answer. */
interface Cut {
  /** How far each lane is published. */
  readonly heads: readonly number[]
  /** Where the log ended after that was taken: behind all of it. */
  readonly position: number
}

export class FlushDuty {
  readonly #parts: FlushDutyParts
  readonly #host: FlushDutyHost
  /** Of every lane that has been used. */
  readonly #knownWays: FlushWay[] = []
  #flushing: Promise<void> | undefined
  #lastFlushMs = Number.NEGATIVE_INFINITY
  /** After a flush that could not be tried: when to try it. */
  #flushAgainMs = Number.NEGATIVE_INFINITY
  /** What a flush takes at present, the slower ones of late counting most. */
  #flushMicros = 0

  constructor(parts: FlushDutyParts, host: FlushDutyHost) {
    this.#parts = parts
    this.#host = host
  }

  /** The flush under way. */
  get running(): Promise<void> | undefined {
    return this.#flushing
  }

  /** The interval counts as over. */
  soon(): void {
    this.#lastFlushMs = Number.NEGATIVE_INFINITY
  }

  /**
   * Flushes what somebody waits for on this thread, while that is quicker than the way to another one and back. The other duties
   * have their turn after a few of them.
   */
  here(): void {
    const { state, flusher, nowMs } = this.#parts
    for (let count = 0; count < flushesATurn; count++) {
      if (this.#flushing !== undefined || !this.#mayFlush() || !this.#isAwaited) return
      const cut = this.#cut()
      const durable = state.durable.load()
      if (this.#flushMicros >= quickFlushMicros || cut.position - durable > quickFlushBytes) return
      this.#lastFlushMs = nowMs()
      const start = nowMs()
      try {
        if (cut.position > durable) {
          if (!this.#host.isOwner()) return
          flusher.flushHere(durable, cut.position)
        }
      } catch (error) {
        this.#flushFailed(error)
        return
      }
      this.#flushed(cut, start)
    }
    state.reaper.ring()
  }

  ifDue(): void {
    const { state, files, flushIntervalMs, nowMs } = this.#parts
    if (this.#flushing !== undefined || !this.#mayFlush()) return
    const isAwaited = this.#isAwaited
    const cut = this.#cut()
    const durable = state.durable.load()
    const isOld = cut.position > durable && nowMs() - this.#lastFlushMs >= flushIntervalMs
    const activeBase = files.base(state.activeSegment.load())
    const hasSealed = durable < activeBase
    if (!isAwaited && !isOld && !hasSealed) return
    // While segments fill faster than the interval, whole ones are flushed and the tail is left alone: that answers nobody.
    this.#begin(hasSealed && !isAwaited ? { heads: [], position: activeBase } : cut)
  }

  /** Flushes what is published, behind the flush under way. One that could not be tried is not tried again. */
  async once(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
    if (this.#parts.state.reaperErrno.load() !== 0) return
    this.#begin(this.#cut())
    await this.#flushing
  }

  /** Resolves when all that is published now is on the device, or cannot get there any more: for what is written without passing a ring. */
  async all(): Promise<void> {
    const { state } = this.#parts
    const position = state.published.load()
    while (state.durable.load() < position && state.reaperErrno.load() === 0) {
      if (this.#mayFlush()) await this.once()
      else await new Promise((resolve) => setTimeout(resolve, allocateRetryMs))
    }
  }

  get #ways(): readonly FlushWay[] {
    const { lanes } = this.#parts
    for (let lane = this.#knownWays.length, { count } = lanes; lane < count; lane++) {
      const { ringHead, flushWished, flushedTo } = lanes.open(lane, 'reaper')
      this.#knownWays.push(new FlushWay(ringHead, flushWished, flushedTo))
    }
    return this.#knownWays
  }

  /** Somebody waits for what only has to be flushed. */
  get #isAwaited(): boolean {
    for (const way of this.#ways) if (way.isAwaited) return true
    return false
  }

  #cut(): Cut {
    // The heads first: the writer publishes the position before a head that relies on it.
    const heads = this.#ways.map((way) => way.published())
    return { heads, position: this.#parts.state.published.load() }
  }

  #mayFlush(): boolean {
    return this.#parts.state.reaperErrno.load() === 0 && this.#parts.nowMs() >= this.#flushAgainMs
  }

  #begin(cut: Cut): void {
    const { state, lanes, files } = this.#parts
    const segment = files.segmentOf(state.durable.load())
    this.#flushing = this.#flush(cut).finally(() => {
      this.#flushing = undefined
      lanes.bells.ringIfAsleep()
      const durable = state.durable.load()
      // Whoever asked while this one ran is served by the next; what failed is looked at; and a segment that is flushed to its end can be indexed.
      if (this.#isAwaited || durable < cut.position || files.segmentOf(durable) > segment) state.reaper.ring()
    })
  }

  async #flush(cut: Cut): Promise<void> {
    const { state, flusher, nowMs } = this.#parts
    this.#lastFlushMs = nowMs()
    if (cut.position <= state.durable.load()) {
      this.#answer(cut)
      return
    }
    if (!this.#host.isOwner()) return
    const start = nowMs()
    try {
      await flusher.flush(state.durable.load(), cut.position)
    } catch (error) {
      this.#flushFailed(error)
      return
    }
    // What it says is written to the control file.
    if (this.#host.isOwner()) this.#flushed(cut, start)
  }

  #flushFailed(error: unknown): void {
    if (isBug(error)) throw error
    // The file could not even be opened, so nothing was flushed and nothing has failed: it is tried again.
    if (isPassing(error)) this.#flushAgainMs = this.#parts.nowMs() + allocateRetryMs
    // Never again: a later success would say nothing about these pages.
    else this.#host.giveUp('flushing the log', error)
  }

  /** All of the cut is on the device. */
  #flushed(cut: Cut, start: number): void {
    const { state, lanes, nowMs } = this.#parts
    const micros = Math.round((nowMs() - start) * 1000)
    // A slow flush counts at once, and is forgotten little by little.
    this.#flushMicros = Math.max(micros, this.#flushMicros * 0.9)
    if (cut.position > state.durable.load()) state.durable.store(cut.position)
    this.#answer(cut)
    // First those who wait, then the books.
    lanes.bells.ringIfAsleep()
    state.writer.ringIfAsleep()
    state.flushCount.store(state.flushCount.load() + 1)
    state.flushMicros.store(state.flushMicros.load() + micros)
    state.lastFlushMicros.store(micros)
    this.#host.writeControl()
    this.#parts.emit({ type: 'flushed', position: cut.position, micros })
  }

  #answer({ heads }: Cut): void {
    for (let lane = 0; lane < heads.length; lane++) this.#knownWays[lane].answer(heads[lane])
  }
}
