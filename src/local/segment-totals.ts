/** How many segments an open log has, from shared counters: nobody is asked, so any thread that has the log can tell. */

import type { LogStats } from '../engine/stats.js'
import type { KeptReason } from '../engine/terms.js'
import { keptReasons, type SharedState } from '../ring/shared-state.js'
import type { SlotRow, SlotTable } from '../ring/slot-table.js'

interface TotalsSources {
  segmentBytes: number
  state: SharedState
  slots: SlotTable
  topicName: (id: number) => string | undefined
}

export class SegmentTotals {
  readonly #sources: TotalsSources

  constructor(sources: TotalsSources) {
    this.#sources = sources
  }

  totals(): LogStats['segments'] {
    const { state, segmentBytes } = this.#sources
    const mapped = this.mapped()
    const { first, active, last } = this.span()
    return {
      segmentBytes,
      total: last - first + 1,
      prepared: last - active,
      mapped: mapped.length,
      mappedBytes: mapped.reduce((sum, row) => sum + row.byteLength, 0),
      retired: state.retiredCount.load(),
      deleted: state.deletedCount.load(),
      movedBytes: state.movedBytes.load(),
      rewrites: state.rewrites.load() - state.packs.load(),
      reclaimedBytes: state.rewrittenBytes.load(),
      packed: state.packs.load(),
      packedAwayBytes: state.packedBytes.load(),
      ...this.#oldestKept(first, active),
    }
  }

  mapped(): SlotRow[] {
    return [...this.#sources.slots.rows()].filter((row) => row.state === 'idle')
  }

  /** Numbers of segments: the oldest, the active, and the last that is prepared. */
  span(): { first: number; active: number; last: number } {
    const { state, segmentBytes } = this.#sources
    const active = state.activeSegment.load()
    return { first: state.trim.load() / segmentBytes, active, last: Math.max(active, state.prepared.load()) }
  }

  /** The reaper says why, as of its last look. */
  #oldestKept(first: number, active: number): { oldestKeptBecause: KeptReason; oldestKeptBy: string | undefined } {
    const { state, topicName } = this.#sources
    if (first === active) return { oldestKeptBecause: 'active', oldestKeptBy: undefined }
    if (state.reaperErrno.load() !== 0) return { oldestKeptBecause: 'device', oldestKeptBy: undefined }
    const because = keptReasons[state.keptReason.load()]
    return {
      // It has not looked since the log went on.
      oldestKeptBecause: because === 'active' ? 'unflushed' : because,
      oldestKeptBy: because === 'needed' ? topicName(state.keptTopic.load()) : undefined,
    }
  }
}
