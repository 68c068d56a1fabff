/** Checking a whole log: which segments there are to check, and what their reports say together. */
import { isKnownLogId, logMarkOf } from '../../format/log-id.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { misnamedError } from '../files/belonging.js'
import { isSealedIn, type LogExtent } from './log-extent.js'
import type { GroupsReport } from './verify-groups.js'
import type { Damage, LostOffsets, Remark, SegmentReport, SegmentTask, TopicInSegment } from './verify-report.js'
import { numbered } from './walked-topics.js'

export interface LogReport {
  directory: string
  /** Of the log; null: not known. */
  id: string | null
  /** An owner is at work: what was published after `verifiedTo` was not looked at. */
  isLive: boolean
  /** Position up to which the log was checked. */
  verifiedTo: number
  durable: number
  segments: number
  batches: number
  messages: number
  topics: number
  groups: number
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
      logMark: logMarkOf(files.id),
      isLive,
    }
    return isSealedIn(extent, segment) ? task : { ...task, end }
  })
}

/** A topic up to some segment. */
interface Known {
  /** As the first segment that declares it does; empty: none has yet. */
  declared: string
  next: number
  segment: number
}

/**
 * Joins the reports of all segments: offsets have to go on from one to the next, or begin anew where the topic was moved.
 * @param reports in order of segments; those deleted meanwhile are left out
 */
export function joinReports(extent: LogExtent, reports: readonly SegmentReport[], groups: GroupsReport): LogReport {
  const topics = new Map<number, Known>()
  const names = namesOf(extent, reports)
  const disagreements: { damage: Damage; segment: number }[] = []
  const moves: Move[] = []
  const readable = readableOf(reports)
  const damages = [...extent.damages, ...groups.damages, ...reports.flatMap((report) => report.damages)]
  for (const segment of extent.strangers) {
    if (reports.some((report) => report.segment === segment)) continue
    damages.push(foreign(extent, segment, 'the file belongs to another log'))
  }
  reports.forEach((report, index) => {
    for (const found of report.topics) {
      const { id, name, first, next, firstAt, goesOnAt } = found
      const known = topics.get(id)
      const topic = names.get(id) ?? numbered(id)
      if (known !== undefined && name !== '' && known.declared !== '' && known.declared !== name) {
        const { files } = extent
        const what = misnamedError(files.path(report.segment), id, name, known.declared).message
        damages.push(foreign(extent, report.segment, what))
      }
      const end = Math.max(next, goesOnAt)
      const disagree = (what: string, lost: LostOffsets[]) => {
        disagreements.push({ damage: disagreement(extent, report.segment, what, lost), segment: report.segment })
      }
      const lose = (lost: LostOffsets, hole: Damage | Remark | undefined) => {
        if (hole !== undefined) addLost(hole.lost, lost)
        else disagree(`offsets ${lost.from} to ${(lost.to ?? 0) - 1} of topic ${topic} are missing`, [lost])
      }
      if (known !== undefined && first > known.next) {
        const since = reports.slice(0, index + 1).filter(({ segment }) => segment >= known.segment)
        // What stood in front of the first readable offset may have been left out when its segment was written anew.
        const from = Math.max(known.next, readable.get(id) ?? 0)
        if (from < first) lose({ topic, from, to: first }, lastHole(since, firstAt))
      } else if (known !== undefined && first < known.next) {
        moves.push({ names: [topic, name, numbered(id)], first, segment: report.segment })
        // All of the topic is moved, never a part: what the copy lacks at its end was lost from it.
        if (end < known.next) lose({ topic, from: end, to: known.next }, lastHole([report], Number.POSITIVE_INFINITY))
      } else if (known === undefined) {
        const from = Math.max(beginningOf(extent, found), readable.get(id) ?? 0)
        if (from < first) lose({ topic, from, to: first }, lastHole([report], firstAt))
      }
      const declared = known?.declared || name
      topics.set(id, { declared, next: Math.max(end, known?.next ?? 0), segment: report.segment })
    }
  })
  for (const [report, begun] of lostBeginnings(reports)) {
    const hole = lastHole([report], Number.POSITIVE_INFINITY)
    for (const { id, readable, first } of begun) {
      hole?.lost.push({ topic: names.get(id) ?? numbered(id), from: readable, to: first })
    }
  }
  for (const { segment, damages, remarks } of reports) {
    for (const found of [...damages, ...remarks]) found.lost = withoutMoved(found.lost, segment, moves)
  }
  for (const { damage, segment } of disagreements) {
    damage.lost = withoutMoved(damage.lost, segment, moves)
    if (damage.lost.length > 0) damages.push(damage)
  }
  // A segment that has lost a topic's declaration knows its number only.
  const byNumber = new Map([...names].map(([id, name]) => [numbered(id), name]))
  for (const found of [...damages, ...reports.flatMap(({ remarks }) => remarks)]) {
    found.lost = found.lost.map((lost) => ({ ...lost, topic: byNumber.get(lost.topic) ?? lost.topic }))
  }
  const sum = (of: (report: SegmentReport) => number) => reports.reduce((total, report) => total + of(report), 0)
  return {
    directory: extent.directory,
    id: isKnownLogId(extent.files.id) ? extent.files.id : null,
    isLive: extent.isLive,
    verifiedTo: extent.published,
    durable: extent.record?.durable ?? 0,
    segments: reports.length,
    batches: sum(({ batches }) => batches),
    messages: sum(({ records }) => records),
    topics: topics.size,
    groups: groups.groups.length,
    bytes: sum(({ bytes }) => bytes),
    damages,
    remarks: [...groups.remarks, ...reports.flatMap(({ remarks }) => remarks)],
  }
}

/**
 * What to call each topic: as a segment declares it, the first that does; else as the next owner of the log will. What is legible in
 * damage may be what the damage made of a name, so it counts last.
 */
function namesOf({ recovered }: LogExtent, reports: readonly SegmentReport[]): Map<number, string> {
  const topics = reports.flatMap((report) => report.topics)
  const names = new Map<number, string>()
  const call = (id: number, name = '') => {
    if (name !== '' && !names.has(id)) names.set(id, name)
  }
  for (const { id, name } of topics) call(id, name)
  for (const { id, name } of recovered?.topics ?? []) call(id, name)
  for (const { id, legibleName } of topics) call(id, legibleName)
  return names
}

/**
 * Topics that begin behind a segment of which nothing is left, by that segment's report: what they lack was lost with it, as far as it
 * can be read. Each as it is in the segment where it begins, with the last word on its first readable offset.
 */
export function lostBeginnings(reports: readonly SegmentReport[]): Map<SegmentReport, TopicInSegment[]> {
  const readable = readableOf(reports)
  const found = new Map<SegmentReport, TopicInSegment[]>()
  const seen = new Set<number>()
  let lost: SegmentReport | undefined
  for (const report of reports) {
    if (report.batches === 0 && report.topics.length === 0 && report.ranges.length > 0) lost = report
    for (const topic of report.topics) {
      const from = readable.get(topic.id) ?? 0
      if (lost !== undefined && !seen.has(topic.id) && topic.first > from) {
        found.set(lost, [...(found.get(lost) ?? []), { ...topic, readable: from }])
      }
      seen.add(topic.id)
    }
  }
  return found
}

/**
 * Where a topic begins of which earlier segments hold nothing, and whose declaration was lost: in a log of which nothing was deleted it
 * lost as many messages as there can have been; else what is legible tells.
 */
export function beginningOf({ first }: LogExtent, { legibleFirst, leastFirst }: TopicInSegment): number {
  return first === 0 ? leastFirst : legibleFirst
}

/** The last word on the first readable offset of each topic. */
function readableOf(reports: readonly SegmentReport[]): Map<number, number> {
  const readable = new Map<number, number>()
  for (const topic of reports.flatMap(({ topics }) => topics)) {
    readable.set(topic.id, Math.max(readable.get(topic.id) ?? 0, topic.readable))
  }
  return readable
}

/** A topic stands in `segment` anew, from `first` on: what earlier segments hold of it from there on does not count. */
interface Move {
  names: readonly string[]
  first: number
  segment: number
}

/** What is lost of copies that do not count any more is not lost. */
function withoutMoved(lost: readonly LostOffsets[], segment: number, moves: readonly Move[]): LostOffsets[] {
  return lost.flatMap((range) => {
    const later = moves.filter((move) => move.segment > segment && move.names.includes(range.topic))
    const end = Math.min(...later.map(({ first }) => first))
    if (range.from >= end) return []
    return range.to === undefined || range.to <= end ? [range] : [{ ...range, to: end }]
  })
}

/** The last place before a position where messages can have been lost. */
function lastHole(reports: readonly SegmentReport[], before: number): Damage | Remark | undefined {
  const kinds = new Set(['missing', 'foreign', 'batches', 'gap'])
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

function foreign({ files }: LogExtent, segment: number, what: string): Damage {
  const position = files.base(segment)
  return { kind: 'foreign', file: files.path(segment), position, bytes: files.segmentBytes, what, lost: [] }
}

function disagreement({ files }: LogExtent, segment: number, what: string, lost: LostOffsets[]): Damage {
  return { kind: 'offsets', file: files.path(segment), position: files.base(segment), bytes: 0, what, lost }
}
