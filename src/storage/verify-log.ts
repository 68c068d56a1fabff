/** Checking a whole log: which segments there are to check, and what their reports say together. */
import { segmentHeaderBytes } from '../format/segment-layout.js'
import { isSealedIn, type LogExtent } from './log-extent.js'
import type { Damage, LostOffsets, Remark, SegmentReport } from './verify-report.js'
import type { SegmentTask } from './verify-segment.js'

export interface LogReport {
  directory: string
  /** An owner is at work: what was published after `verifiedTo` was not looked at. */
  isLive: boolean
  /** Position up to which the log was checked. */
  verifiedTo: number
  durable: number
  segments: number
  batches: number
  messages: number
  topics: number
  /** Bytes of the files that were read. */
  bytes: number
  damages: Damage[]
  remarks: Remark[]
}

/** The segments to check, each by {@link verifySegment}, in any order and by any thread. */
export function segmentTasks(extent: LogExtent): SegmentTask[] {
  const { files, first, last, end, isLive, published } = extent
  if (published <= files.base(first) + segmentHeaderBytes) return []
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const segment = first + index
    const task = {
      segment,
      file: files.path(segment),
      base: files.base(segment),
      segmentBytes: files.segmentBytes,
      isLive,
    }
    return isSealedIn(extent, segment) ? task : { ...task, end }
  })
}

/**
 * Joins the reports of all segments: offsets have to go on from one to the next.
 * @param reports in order of segments; those deleted meanwhile are left out
 */
export function joinReports(extent: LogExtent, reports: readonly SegmentReport[]): LogReport {
  const damages = [...extent.damages]
  const remarks: Remark[] = []
  const topics = new Map<number, { name: string; next: number; segment: number }>()
  reports.forEach((report, index) => {
    damages.push(...report.damages)
    remarks.push(...report.remarks)
    for (const { id, name, first, next, firstAt, goesOnAt } of report.topics) {
      const known = topics.get(id)
      const topic = name || known?.name || `number ${id}`
      if (known !== undefined && first > known.next) {
        const lost = { topic, from: known.next, to: first }
        const since = reports.slice(0, index + 1).filter(({ segment }) => segment >= known.segment)
        const hole = lastHole(since, firstAt)
        if (hole !== undefined) addLost(hole.lost, lost)
        else
          damages.push(
            disagreement(extent, report.segment, `offsets ${lost.from} to ${first - 1} of topic ${topic} are missing`, [
              lost,
            ]),
          )
      } else if (known !== undefined && first < known.next) {
        const what = `topic ${topic} goes back from offset ${known.next} to ${first}`
        damages.push(disagreement(extent, report.segment, what, []))
      }
      topics.set(id, { name: topic, next: Math.max(next, goesOnAt, known?.next ?? 0), segment: report.segment })
    }
  })
  const sum = (of: (report: SegmentReport) => number) => reports.reduce((total, report) => total + of(report), 0)
  return {
    directory: extent.directory,
    isLive: extent.isLive,
    verifiedTo: extent.published,
    durable: extent.record?.durable ?? 0,
    segments: reports.length,
    batches: sum(({ batches }) => batches),
    messages: sum(({ records }) => records),
    topics: topics.size,
    bytes: sum(({ bytes }) => bytes),
    damages,
    remarks,
  }
}

/** The last place before a position where messages can have been lost. */
function lastHole(reports: readonly SegmentReport[], before: number): Damage | Remark | undefined {
  const kinds = new Set(['missing', 'batches', 'gap'])
  const places = reports
    .flatMap(({ damages, remarks }) => [...damages, ...remarks])
    .filter(({ kind, position }) => kinds.has(kind) && position < before)
  return places.sort((a, b) => a.position - b.position).at(-1)
}

/** Neighbouring ranges become one. */
function addLost(lost: LostOffsets[], more: LostOffsets): void {
  const before = lost.find(({ topic, to }) => topic === more.topic && to === more.from)
  if (before === undefined) lost.push(more)
  else before.to = more.to
}

function disagreement({ files }: LogExtent, segment: number, what: string, lost: LostOffsets[]): Damage {
  return { kind: 'offsets', file: files.path(segment), position: files.base(segment), bytes: 0, what, lost }
}
