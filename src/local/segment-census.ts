/** The segments of an open log for `segments()` and `residency()`: why each is there, who maps it, what of it is in memory. */

import fs from 'node:fs/promises'
import type { SegmentInfo, SegmentResidency } from '../engine/stats.js'
import type { GroupInfo } from '../engine/terms.js'
import { segmentPath } from '../storage/files/segment-files.js'
import type { ReaperThread } from './reaper-thread.js'
import type { SegmentTotals } from './segment-totals.js'

/** As `mincore` counts. */
const pageBytes = 4096
/** As `stat` counts. */
const blockBytes = 512

interface CensusSources {
  directory: string
  segmentBytes: number
  totals: SegmentTotals
  reaper: ReaperThread
  /** The groups that there are, and how far they have come. */
  groups(): Promise<GroupInfo[]>
  /** Undefined in a log that is open read-only. */
  writerThreadId: number | undefined
}

export class SegmentCensus {
  readonly #sources: CensusSources

  constructor(sources: CensusSources) {
    this.#sources = sources
  }

  async segments(limit: number): Promise<SegmentInfo[]> {
    const { reaper, totals } = this.#sources
    const kept = await reaper.call((remote) => remote.segments(limit))
    const mapped = totals.mapped()
    const { active } = totals.span()
    const places = kept.map(({ segment }) => this.#place(segment, active))
    const diskBytes = await Promise.all(places.map(({ file }) => diskBytesOf(file)))
    const slowest = kept.some(({ needs }) => needs.some(({ isUnconsumed }) => isUnconsumed))
      ? slowestOf(await this.#sources.groups())
      : undefined
    return kept.map(({ segment, needs, ...why }, index) => ({
      ...places[index],
      diskBytes: diskBytes[index],
      ...why,
      needs: needs.map(({ isUnconsumed, ...need }) => ({
        ...need,
        group: isUnconsumed ? (slowest?.get(need.topic) ?? '') : undefined,
      })),
      mappedBy: mapped
        .filter((row) => row.segment === segment)
        .map(({ owner, pins }) => ({ thread: this.#roleOf(owner), threadId: owner, isPinned: pins > 0 })),
    }))
  }

  async residency(): Promise<SegmentResidency[]> {
    const { reaper, segmentBytes, totals } = this.#sources
    const residency = await reaper.call((remote) => remote.residency())
    const pages = new Map(residency.map((entry) => [entry.segment, entry.mappings]))
    const { first, active, last } = totals.span()
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
}

/** The name of the group of each topic that is furthest behind. */
function slowestOf(groups: readonly GroupInfo[]): Map<string, string> {
  const ordered = [...groups].sort((a, b) => b.committed - a.committed)
  return new Map(ordered.map(({ topic, name }) => [topic, name]))
}

/** As the file system counts; -1: the file is gone, or nobody says. */
async function diskBytesOf(file: string): Promise<number> {
  try {
    return (await fs.stat(file)).blocks * blockBytes
  } catch {
    return -1
  }
}
