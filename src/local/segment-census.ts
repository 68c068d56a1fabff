/** The segments of an open log for `stats()`, `segments()` and `residency()`: which there are, why, who maps them, what of them is in memory. */

import type { LogStats, SegmentInfo, SegmentResidency } from '../engine/stats.js'
import type { KeptReason } from '../engine/terms.js'
import { keptReasons, type SharedState } from '../ring/shared-state.js'
import type { SlotTable } from '../ring/slot-table.js'
import { segmentPath } from '../storage/files/segment-files.js'
import type { ReaperThread } from './reaper-thread.js'

/** As `mincore` counts. */
const pageBytes = 4096

interface CensusSources {
  directory: string
  segmentBytes: number
  state: SharedState
  slots: SlotTable
  reaper: ReaperThread
  /** Undefined in a log that is open read-only. */
  writerThreadId: number | undefined
  topicName: (id: number) => string | undefined
}

export class SegmentCensus {
  readonly #sources: CensusSources

  constructor(sources: CensusSources) {
    this.#sources = sources
  }

  /** From shared counters, nobody is asked. */
  totals(): LogStats['segments'] {
    const { state, segmentBytes } = this.#sources
    const mapped = this.#mapped()
    const { first, active, last } = this.#span()
    return {
      segmentBytes,
      total: last - first + 1,
      prepared: last - active,
      mapped: mapped.length,
      mappedBytes: mapped.reduce((sum, row) => sum + row.byteLength, 0),
      retired: state.retiredCount.load(),
      deleted: state.deletedCount.load(),
      movedBytes: state.movedBytes.load(),
      ...this.#oldestKept(first, active),
    }
  }

  async segments(limit: number): Promise<SegmentInfo[]> {
    const kept = await this.#sources.reaper.call((remote) => remote.segments(limit))
    const mapped = this.#mapped()
    const { active } = this.#span()
    return kept.map(({ segment, ...why }) => ({
      ...this.#place(segment, active),
      ...why,
      mappedBy: mapped
        .filter((row) => row.segment === segment)
        .map(({ owner, pins }) => ({ thread: this.#roleOf(owner), threadId: owner, isPinned: pins > 0 })),
    }))
  }

  async residency(): Promise<SegmentResidency[]> {
    const { reaper, segmentBytes } = this.#sources
    const residency = await reaper.call((remote) => remote.residency())
    const pages = new Map(residency.map((entry) => [entry.segment, entry.mappings]))
    const { first, active, last } = this.#span()
    return Array.from({ length: last - first + 1 }, (_, index) => {
      const segment = first + index
      const mappings = (pages.get(segment) ?? []).map(({ threadId, residentPages }) => ({
        thread: this.#roleOf(threadId),
        threadId,
        mappedBytes: segmentBytes,
        residentBytes: residentPages < 0 ? -1 : residentPages * pageBytes,
      }))
      return { ...this.#place(segment, active), mappings }
    })
  }

  #mapped() {
    return [...this.#sources.slots.rows()].filter((row) => row.state === 'idle')
  }

  /** Numbers of segments: the oldest, the active, and the last that is prepared. */
  #span(): { first: number; active: number; last: number } {
    const { state, segmentBytes } = this.#sources
    const active = state.activeSegment.load()
    return { first: state.trim.load() / segmentBytes, active, last: Math.max(active, state.prepared.load()) }
  }

  #place(segment: number, active: number) {
    const { directory, segmentBytes: bytes } = this.#sources
    const position = segment * bytes
    const file = segmentPath(directory, position)
    const state = segment < active ? 'sealed' : segment === active ? 'active' : 'prepared'
    return { position, file, bytes, state: state as 'sealed' | 'active' | 'prepared' }
  }

  #roleOf(threadId: number): 'writer' | 'reader' | 'reaper' {
    const { writerThreadId, reaper } = this.#sources
    return threadId === writerThreadId ? 'writer' : threadId === reaper.threadId ? 'reaper' : 'reader'
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
