/**
 * Where nothing else is under way, who writes may flush: a lone message that is awaited at level `disk` is on the device without a way to the reaper.
 *
 * Nothing else: all before the batch was durable, nothing behind it has been handed over, and the last flush was quick. So appends that nobody wants flushed
 * wait for a flush of this thread only if they come in the middle of one; and what comes fast is flushed by the reaper, beside the writing.
 */
import { FlushRecord } from '../../ring/flush-record.js'
import type { LaneTable } from '../../ring/lane-table.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { Flusher } from '../../storage/files/flusher.js'
import type { Owner } from '../../storage/files/ownership.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { errnoOf, isBug, isPassing } from '../device-error.js'
import { quickFlushMicros, tellFlushesMs } from '../flush-pace.js'

/** More than this is flushed by the reaper. */
const loneBytes = 4 << 10

export interface LoneFlushParts {
  state: SharedState<'writer' | 'flusher'>
  lanes: LaneTable
  files: SegmentFiles
  flusher: Pick<Flusher, 'flushHere' | 'close'>
  owner: Pick<Owner, 'isKeptOfLate'>
  nowMs(): number
}

export class LoneFlush {
  readonly #parts: LoneFlushParts
  readonly #record: FlushRecord
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(parts: LoneFlushParts) {
    const { state, lanes } = parts
    this.#parts = parts
    this.#record = new FlushRecord(state, lanes)
  }

  /**
   * Flushes what was published last, and answers.
   * @param from all before it is durable
   * @returns false: that is left to the reaper, which has to be rung
   */
  flush(from: number): boolean {
    const { state, files, flusher, owner, nowMs } = this.#parts
    const to = state.published.load()
    if (to - from > loneBytes) return false
    // What a flush takes the reaper finds out.
    if (state.flushCount.load() === 0 || state.lastFlushMicros.load() >= quickFlushMicros) return false
    // Of a segment that was left the reaper makes an index when it is flushed.
    if (files.segmentOf(from) !== files.segmentOf(to)) return false
    if (!state.flushing.tryTake('writer')) return false
    // In the turn: where a flush has failed, none may follow. Who has lost the log the reaper says.
    if (state.reaperErrno.load() !== 0 || !owner.isKeptOfLate()) {
      state.flushing.giveBack('writer')
      return false
    }
    const cut = this.#record.cut()
    const start = nowMs()
    try {
      flusher.flushHere(from, cut.position)
    } catch (error) {
      return this.#failed(error)
    }
    const end = nowMs()
    this.#record.answer(cut)
    this.#record.count(Math.round((end - start) * 1000))
    state.flushing.giveBack('writer')
    // The control file and the application's listeners are the reaper's.
    if (end - this.#toldMs >= tellFlushesMs) {
      this.#toldMs = end
      state.reaper.ringIfAsleep()
    }
    return true
  }

  close(): void {
    this.#parts.flusher.close()
  }

  #failed(error: unknown): boolean {
    const { state } = this.#parts
    // The turn is kept, so that nobody flushes any more: a later success would say nothing about these pages. The reaper tells everybody.
    if (!isBug(error) && !isPassing(error)) state.writerFlushErrno.store(errnoOf(error).errno)
    else state.flushing.giveBack('writer')
    if (isBug(error)) throw error
    return false
  }
}
