/**
 * Taking page faults for the writer: the pages of its mapping ahead of it are faulted in while most of what is appended goes through
 * the mapping, and locked in memory where that is wished.
 */
import { prefaultAheadBytes, prefaultStepBytes } from '../../limits.js'
import { pageBytes, type SystemCalls } from '../../memory/memory.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { SlotTable } from '../../ring/slot-table.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import type { ReaperEvent } from './reaper-event.js'

export interface PrefaultDutyParts {
  state: SharedState<'reaper'>
  slots: SlotTable
  calls: SystemCalls
  files: SegmentFiles
  /** Pages of the active segment are locked in memory as they are faulted in. */
  lockActive: boolean
  emit(event: ReaperEvent): void
}

export class PrefaultDuty {
  readonly #parts: PrefaultDutyParts
  #isLockRefused = false
  #storing = { published: 0, stored: 0, isMost: false }
  /** By slot: how far its pages have been faulted in, and for which address. */
  readonly #prefaulted = new Map<number, { address: number; to: number }>()

  constructor(parts: PrefaultDutyParts) {
    this.#parts = parts
  }

  /**
   * Faults pages of the writer's mappings in ahead of it, a small step at a time: each step holds the process's
   * memory-map lock. Returns true if the writer may be outrunning it.
   */
  step(): boolean {
    const { state, slots, calls, files, lockActive } = this.#parts
    if (!calls.isNative) return false
    const published = state.published.load()
    if (!this.#isWriterStoring(published) && !lockActive) return false
    const active = state.activeSegment.load()
    for (const row of slots.rows()) {
      if (row.access !== 'write' || row.state !== 'idle' || row.segment < active) continue
      const position = Math.max(0, published - files.base(row.segment))
      const known = this.#prefaulted.get(row.slot)
      const from = Math.max(position, known?.address === row.address ? known.to : 0)
      const start = from - (from % pageBytes)
      // In a hole a fault would take blocks where there may be none.
      const blocks = state.allocated.load() - files.base(row.segment)
      const to = Math.min(files.segmentBytes, position + prefaultAheadBytes, blocks)
      if (to - start < prefaultStepBytes && to < files.segmentBytes) continue
      if (to <= start || !slots.pinRow(row)) continue
      const length = Math.min(prefaultStepBytes, to - start)
      const isDone = calls.populateWrite(row.address + start, length)
      if (lockActive) this.#lock(row.address + start, length)
      slots.unpinQuietly(row.slot)
      // An old kernel refuses: then the writer takes its faults itself.
      this.#prefaulted.set(row.slot, { address: row.address, to: isDone ? start + length : files.segmentBytes })
      state.prefaultedBytes.store(state.prefaultedBytes.load() + length)
      return true
    }
    return false
  }

  /** The lock ends with the mapping. Without permission the log works on as well: that is reported once. */
  #lock(address: number, length: number): void {
    const { calls, emit } = this.#parts
    const failure = this.#isLockRefused ? undefined : calls.lockPages(address, length)
    if (failure === undefined) return
    this.#isLockRefused = true
    const { code, errno } = failure
    emit({ type: 'error', what: 'locking pages of the active segment', code, errno })
  }

  /** True while most of what is appended goes through the mapping: long batches go past it and need no pages there. */
  #isWriterStoring(published: number): boolean {
    const stored = this.#parts.state.storedBytes.load()
    const seen = this.#storing
    if (published - seen.published >= prefaultAheadBytes / 4) {
      const isMost = (stored - seen.stored) * 2 >= published - seen.published
      this.#storing = { published, stored, isMost }
    }
    return this.#storing.isMost
  }
}
