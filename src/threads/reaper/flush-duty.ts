/**
 * Flushing: what somebody waits for at once, the rest when the interval is over or a segment is left. A flush is quick or it goes off
 * this thread; one is under way at a time. One that fails ends the log, one that could not even be tried is tried again.
 *
 * Each begins with a {@link Cut}, and answers with that: see ring/flush-way.ts.
 */
import { allocateRetryMs } from '../../limits.js'
import { failedCall } from '../../memory/errno.js'
import { type Cut, FlushRecord } from '../../ring/flush-record.js'
import type { LaneTable } from '../../ring/lane-table.js'
import { logEnds, type SharedState } from '../../ring/shared-state.js'
import type { Flusher } from '../../storage/files/flusher.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { isBug, isPassing } from '../device-error.js'
import { quickFlushMicros, tellFlushesMs } from '../flush-pace.js'
import type { ReaperEvent } from './reaper-event.js'

/** Quick flushes are done on this thread, up to so many in a turn and for so much data. */
const flushesATurn = 8
const quickFlushBytes = 1 << 20

export interface FlushDutyParts {
  state: SharedState<'reaper' | 'flusher'>
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

export class FlushDuty {
  readonly #parts: FlushDutyParts
  readonly #host: FlushDutyHost
  readonly #record: FlushRecord
  #flushing: Promise<void> | undefined
  #lastFlushMs = Number.NEGATIVE_INFINITY
  /** After a flush that could not be tried: when to try it. */
  #flushAgainMs = Number.NEGATIVE_INFINITY
  /** What is flushed up to here is in the books: in the control file, and told. */
  #enteredTo: number
  #enteredMs = Number.NEGATIVE_INFINITY
  /** What a flush takes at present, the slower ones of late counting most. */
  #flushMicros = 0

  constructor(parts: FlushDutyParts, host: FlushDutyHost) {
    const { state, lanes } = parts
    this.#parts = parts
    this.#host = host
    this.#record = new FlushRecord(state, lanes)
    // Of a reaper that died in it: what may have failed unheard was written again, or nothing is flushed any more.
    state.flushing.giveBack('reaper')
    this.#enteredTo = state.durable.load()
  }

  /** The flush under way. */
  get running(): Promise<void> | undefined {
    return this.#flushing
  }

  /** The interval counts as over. */
  soon(): void {
    this.#lastFlushMs = Number.NEGATIVE_INFINITY
  }

  /** What the writer has flushed by itself comes into the books, and where it has failed that ends the log. */
  meetWriter(): void {
    const { state, nowMs } = this.#parts
    const failure = state.writerFlushErrno.load()
    if (failure !== 0) this.#host.giveUp('flushing the log', failedCall('fdatasync', failure, 'the last messages'))
    const durable = state.durable.load()
    if (durable <= this.#enteredTo || state.reaperErrno.load() !== 0) return
    this.#enteredMs = nowMs()
    this.#enter(durable, state.lastFlushMicros.load())
  }

  /** {@link meetWriter} is to be called again within this: the writer tells of some flushes only. */
  get meetMs(): number {
    return this.#parts.nowMs() - this.#enteredMs < tellFlushesMs ? 2 * tellFlushesMs : Number.POSITIVE_INFINITY
  }

  /**
   * Flushes what somebody waits for on this thread, while that is quicker than the way to another one and back. The other duties
   * have their turn after a few of them.
   */
  here(): void {
    const { state, flusher, nowMs } = this.#parts
    for (let count = 0; count < flushesATurn; count++) {
      if (this.#flushing !== undefined || !this.#mayFlush() || !this.#record.isAwaited) return
      const unflushed = state.published.load() - state.durable.load()
      if (this.#flushMicros >= quickFlushMicros || unflushed > quickFlushBytes || !state.flushing.tryTake('reaper'))
        return
      const cut = this.#record.cut()
      const durable = state.durable.load()
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
    const { isAwaited } = this.#record
    const cut = this.#record.cut()
    const durable = state.durable.load()
    const isOld = cut.position > durable && nowMs() - this.#lastFlushMs >= flushIntervalMs
    const activeBase = files.base(state.activeSegment.load())
    const hasSealed = durable < activeBase
    if (!isAwaited && !isOld && !hasSealed) return
    // While segments fill faster than the interval, whole ones are flushed and the tail is left alone: that answers nobody.
    if (state.flushing.tryTake('reaper'))
      this.#begin(hasSealed && !isAwaited ? { heads: [], position: activeBase } : cut)
  }

  /**
   * Flushes what is published, behind the flush under way. One that could not be tried is not tried again.
   * @returns false: it is the writer's turn, for ever where it has died in it
   */
  async once(): Promise<boolean> {
    while (this.#flushing !== undefined) await this.#flushing
    const { state } = this.#parts
    if (state.reaperErrno.load() !== 0) return true
    if (!state.flushing.tryTake('reaper')) return false
    this.#begin(this.#record.cut())
    await this.#flushing
    return true
  }

  /** Resolves when all that is published now is on the device, or cannot get there any more: for what is written without passing a ring. */
  async all(): Promise<void> {
    const { state } = this.#parts
    const position = state.published.load()
    while (state.durable.load() < position && state.reaperErrno.load() === 0) {
      if (this.#mayFlush() && (await this.once())) continue
      if (state.logEnd.load() === logEnds.writerDied) return
      await new Promise((resolve) => setTimeout(resolve, allocateRetryMs))
    }
  }

  #mayFlush(): boolean {
    return this.#parts.state.reaperErrno.load() === 0 && this.#parts.nowMs() >= this.#flushAgainMs
  }

  /** In this thread's turn. */
  #begin(cut: Cut): void {
    const { state, lanes, files } = this.#parts
    const segment = files.segmentOf(state.durable.load())
    this.#flushing = this.#flush(cut).finally(() => {
      this.#flushing = undefined
      lanes.bells.ringIfAsleep()
      const durable = state.durable.load()
      // Whoever asked while this one ran is served by the next; what failed is looked at; and a segment that is flushed to its end can be indexed.
      if (this.#record.isAwaited || durable < cut.position || files.segmentOf(durable) > segment) state.reaper.ring()
    })
  }

  async #flush(cut: Cut): Promise<void> {
    const { state, flusher, nowMs } = this.#parts
    this.#lastFlushMs = nowMs()
    if (cut.position <= state.durable.load()) {
      this.#record.answer(cut)
      state.flushing.giveBack('reaper')
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
    // Never again, by nobody: a later success would say nothing about these pages. So the turn is kept.
    if (!isBug(error) && !isPassing(error)) {
      this.#host.giveUp('flushing the log', error)
      return
    }
    this.#parts.state.flushing.giveBack('reaper')
    if (isBug(error)) throw error
    // The file could not even be opened, so nothing was flushed and nothing has failed: it is tried again.
    this.#flushAgainMs = this.#parts.nowMs() + allocateRetryMs
  }

  /** All of the cut is on the device. */
  #flushed(cut: Cut, start: number): void {
    const { state, nowMs } = this.#parts
    const micros = Math.round((nowMs() - start) * 1000)
    // A slow flush counts at once, and is forgotten little by little.
    this.#flushMicros = Math.max(micros, this.#flushMicros * 0.9)
    // First those who wait, then the books.
    this.#record.answer(cut)
    this.#record.count(micros)
    state.flushing.giveBack('reaper')
    state.writer.ringIfAsleep()
    this.#enter(cut.position, micros)
  }

  #enter(position: number, micros: number): void {
    this.#enteredTo = Math.max(this.#enteredTo, position)
    this.#host.writeControl()
    this.#parts.emit({ type: 'flushed', position, micros })
  }
}
