/**
 * Flushing: what somebody waits for at once, the rest when the interval is over or a segment is left. A flush is quick or it goes off
 * this thread; one is under way at a time. One that fails ends the log, one that could not even be tried is tried again.
 */
import { allocateRetryMs } from '../../limits.js'
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
  state: SharedState
  files: SegmentFiles
  flusher: Flusher
  flushIntervalMs: number
  nowMs(): number
  emit(event: ReaperEvent): void
}

/** What the reaper does for it. */
export interface FlushDutyHost {
  /** Looks whether the log is still this process's. */
  isOwner(): boolean
  giveUp(what: string, error: unknown): void
  /** Says in the control file how far the log is durable. */
  writeControl(): void
}

export class FlushDuty {
  readonly #parts: FlushDutyParts
  readonly #host: FlushDutyHost
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
      if (this.#flushing !== undefined || !this.#mayFlush()) return
      const askedTo = state.flushAskedTo.load()
      const published = state.published.load()
      const durable = state.durable.load()
      const isQuick = this.#flushMicros < quickFlushMicros && published - durable <= quickFlushBytes
      if (askedTo === state.flushedTo.load() || !isQuick) return
      this.#lastFlushMs = nowMs()
      const start = nowMs()
      try {
        if (published > durable) {
          if (!this.#host.isOwner()) return
          flusher.flushHere(durable, published)
        }
      } catch (error) {
        this.#flushFailed(error)
        return
      }
      this.#flushed(published, askedTo, start)
    }
    state.reaper.ring()
  }

  #mayFlush(): boolean {
    return this.#parts.state.reaperErrno.load() === 0 && this.#parts.nowMs() >= this.#flushAgainMs
  }

  #flushFailed(error: unknown): void {
    if (isBug(error)) throw error
    // The file could not even be opened, so nothing was flushed and nothing has failed: it is tried again.
    if (isPassing(error)) this.#flushAgainMs = this.#parts.nowMs() + allocateRetryMs
    // Never again: a later success would say nothing about these pages.
    else this.#host.giveUp('flushing the log', error)
  }

  /** Everything up to `position`, and what was asked for before that was looked at, is on the device. */
  #flushed(position: number, askedTo: number, start: number): void {
    const { state, nowMs } = this.#parts
    const micros = Math.round((nowMs() - start) * 1000)
    // A slow flush counts at once, and is forgotten little by little.
    this.#flushMicros = Math.max(micros, this.#flushMicros * 0.9)
    if (position > state.durable.load()) state.durable.store(position)
    if (askedTo > state.flushedTo.load()) state.flushedTo.store(askedTo)
    // First those who wait, then the books.
    state.dispatcher.ringIfAsleep()
    state.writer.ringIfAsleep()
    state.flushCount.store(state.flushCount.load() + 1)
    state.flushMicros.store(state.flushMicros.load() + micros)
    state.lastFlushMicros.store(micros)
    this.#host.writeControl()
    this.#parts.emit({ type: 'flushed', position, micros })
  }

  ifDue(): void {
    const { state, files, flushIntervalMs, nowMs } = this.#parts
    if (this.#flushing !== undefined || !this.#mayFlush()) return
    const requested = state.flushRequest.load()
    const askedTo = state.flushAskedTo.load()
    const published = state.published.load()
    const durable = state.durable.load()
    const isRequested = requested !== state.flushed.load() || askedTo > state.flushedTo.load()
    const isOld = published > durable && nowMs() - this.#lastFlushMs >= flushIntervalMs
    const activeBase = files.base(state.activeSegment.load())
    const hasSealed = durable < activeBase
    if (!isRequested && !isOld && !hasSealed) return
    // While segments fill faster than the interval, whole ones are flushed and the tail is left alone.
    const position = hasSealed && !isRequested ? activeBase : published
    this.#flushing = this.flush(position, isRequested ? askedTo : 0)
      .then(() => state.flushed.store(requested))
      .finally(() => {
        this.#flushing = undefined
        state.dispatcher.ringIfAsleep()
        // Whoever asked while this one ran is served by the next.
        state.reaper.ring()
      })
  }

  /** Flushes up to `position`, which was published before, and after what was asked for. */
  async flush(position: number, askedTo = 0): Promise<void> {
    const { state, flusher, nowMs } = this.#parts
    this.#lastFlushMs = nowMs()
    if (state.reaperErrno.load() !== 0) return
    if (position <= state.durable.load()) {
      if (askedTo > state.flushedTo.load()) state.flushedTo.store(askedTo)
      return
    }
    if (!this.#host.isOwner()) return
    const start = nowMs()
    try {
      await flusher.flush(state.durable.load(), position)
    } catch (error) {
      this.#flushFailed(error)
      return
    }
    // What it says is written to the control file.
    if (this.#host.isOwner()) this.#flushed(position, askedTo, start)
  }
}
