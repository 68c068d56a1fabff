/**
 * What a repair will do: which bytes are copied away first, which segments are built anew and how, whether the control and groups
 * files are. It only reads.
 */
import { BookendError } from '../../errors.js'
import { batchHeaderBytes } from '../../format/batch-layout.js'
import { type ControlRecord, controlBytes } from '../../format/control-layout.js'
import {
  type Features,
  featuresFault,
  featuresOf,
  featureWords,
  joinFeatures,
  noFeature,
  noFeatures,
} from '../../format/features.js'
import { topicFeatures } from '../../format/hidden-topics.js'
import { indexBytes, segmentHeaderBytes } from '../../format/segment-layout.js'
import { ControlFile } from '../files/control-file.js'
import type { Disk } from '../files/disk.js'
import { type FoundGroup, GroupFile } from '../files/group-file.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { packedParts } from '../packed/packed-table.js'
import { isSealedIn, type LogExtent } from './log-extent.js'
import { nonZeroSpan } from './non-zero-span.js'
import type { SegmentPlan } from './repair-segment.js'
import { type KnownTopic, namesOf, statementsOf } from './repair-statements.js'
import type { GroupsReport } from './verify-groups.js'
import { lostBeginnings } from './verify-log.js'
import type { Damage, DamageKind, SegmentReport, TopicInSegment } from './verify-report.js'

/** Bytes that are copied away before their place is built anew. */
export interface SetAside {
  file: string
  /** In the file. */
  from: number
  to: number
  /** Name of the copy. */
  copy: string
}

export interface RepairPlan {
  /** Empty: nothing has to be copied. */
  setAside: SetAside[]
  segments: SegmentPlan[]
  /** Segments of other logs, which get out of the way under another name. */
  strangers: readonly number[]
  /** Segments whose side indexes go: they are made anew. */
  sides: readonly number[]
  /** The control file is made anew. */
  control: ControlRecord | undefined
  /** What it says then. */
  features: Features
  /** The groups file is made anew, with these. */
  groups: readonly FoundGroup[] | undefined
  damages: Damage[]
  /** What a repair cannot mend: it stays as it is, and stays reported. */
  left: Damage[]
}

/** What can be mended by building the segment anew. */
const rebuildable: ReadonlySet<DamageKind> = new Set([
  'missing',
  'foreign',
  'size',
  'header',
  'batches',
  'seal',
  'index',
  'unreadable',
])
const mendable: ReadonlySet<DamageKind> = new Set([...rebuildable, 'control', 'groups'])

/**
 * @param reports of all segments, in order
 * @param groups the groups file's own report
 * @param damages what they say together
 */
export function planRepair(
  disk: Disk,
  extent: LogExtent,
  reports: readonly SegmentReport[],
  groups: GroupsReport,
  damages: Damage[],
  bootId: string,
): RepairPlan {
  checkFeatures(extent, reports)
  const plan: RepairPlan = {
    setAside: [],
    segments: [],
    strangers: extent.strangers,
    sides: reports
      .filter(({ remarks }) => remarks.some(({ kind }) => kind === 'side index'))
      .map(({ segment }) => segment),
    control: undefined,
    features: extent.features ?? noFeatures,
    groups: undefined,
    damages,
    left: leftOf(extent, reports, damages),
  }
  const names = namesOf(reports, extent.recovered?.topics ?? [])
  // The control file is lost, and what the log holds says it once more.
  if (extent.features === undefined) {
    const features = [...names.values()].reduce((set, { name }) => set | topicFeatures(name), noFeature)
    const expires = reports.some((report) => report.expires)
    const isPacked = reports.some((report) => report.isPacked)
    plan.features = [expires && featureWords.expiry, isPacked && featureWords.packed]
      .filter((words) => words !== false)
      .reduce(joinFeatures, featuresOf(features))
  }
  const beginnings = lostBeginnings(reports)
  let time = 0
  for (const report of reports) {
    // Times never decrease: a gap takes that of the batch in front of it, or behind it where the segment begins with it.
    const around = report.firstTime || time
    time = Math.max(time, report.lastTime)
    if (!report.damages.some(({ kind }) => rebuildable.has(kind))) continue
    plan.segments.push(segmentPlan(extent, report, beginnings.get(report) ?? [], names, around, time))
    plan.setAside.push(...setAsideOf(disk, extent, report))
  }
  if (extent.damages.length > 0) {
    plan.control = controlRecord(extent, time, bootId)
    const file = ControlFile.path(extent.directory)
    if (disk.list(extent.directory).includes('control')) {
      plan.setAside.push({ file, from: 0, to: controlBytes, copy: 'control' })
    }
  }
  if (groups.damages.length > 0) {
    plan.groups = groups.groups
    const file = GroupFile.path(extent.directory)
    const found = disk.open(file, 'read')
    plan.setAside.push({ file, from: 0, to: found?.size() ?? 0, copy: 'groups' })
    found?.close()
  }
  return plan
}

/** What would be lost with the control file, or is not for this release to write. @throws `BOOKEND_FORMAT` */
function checkFeatures({ directory, features }: LogExtent, reports: readonly SegmentReport[]): void {
  const file = ControlFile.path(directory)
  const remarks = reports.flatMap((report) => report.remarks)
  // What frames of an unknown kind mean, only the feature words would have said.
  const frames = features === undefined ? remarks.find(({ kind }) => kind === 'unknown') : undefined
  const lost = `is lost, and ${frames?.file} holds what this release does not know: repair the log with the release that wrote it`
  const fault = features === undefined ? frames && lost : featuresFault(features, 'write')
  if (fault !== undefined) throw new BookendError('BOOKEND_FORMAT', `${file} ${fault}`, { file })
}

function leftOf({ files, strangers }: LogExtent, reports: readonly SegmentReport[], damages: Damage[]): Damage[] {
  // Whose segment it is cannot be told where two only disagree about a name.
  const own = new Set(reports.flatMap((report) => report.damages))
  const unclear = damages.filter((damage) => {
    const isFile = strangers.some((segment) => files.path(segment) === damage.file)
    return damage.kind === 'foreign' && !own.has(damage) && !isFile
  })
  return [
    ...damages.filter(({ kind }) => !mendable.has(kind) && kind !== 'offsets'),
    ...unclear,
    // Missing offsets are not left over if what took them is mended now.
    ...damages.filter(({ kind }) => kind === 'offsets'),
  ]
}

/**
 * @param around time of a gap with which the segment begins
 * @param time of its last batch
 */
function segmentPlan(
  extent: LogExtent,
  report: SegmentReport,
  beginnings: readonly TopicInSegment[],
  names: ReadonlyMap<number, KnownTopic>,
  around: number,
  time: number,
): SegmentPlan {
  const { segment, topics, ranges, isTailLost, end } = report
  const { restated, amendments } = statementsOf(report, extent, beginnings, names)
  const records = topics.reduce((sum, { goesOnAt, leastFirst }) => sum + goesOnAt - leastFirst, 0)
  const inIndex = new Set([...topics.map(({ id }) => id), ...restated.map(({ topic }) => topic)])
  const nameBytes = [...inIndex].reduce((sum, id) => sum + (names.get(id)?.name.length ?? 0), 0)
  return {
    segment,
    ranges: ranges.map((range) => ({ ...range, time: range.time || around })),
    isTailLost,
    end,
    isSealed: isSealedIn(extent, segment),
    keepsHeader: !report.damages.some(({ kind }) => kind === 'header' || kind === 'foreign'),
    epoch: report.lastEpoch || extent.record?.epoch || 1,
    time,
    indexBytes: indexBytes(records, inIndex.size, nameBytes),
    restated,
    amendments,
  }
}

function controlRecord({ files, first, published, record, recovered }: LogExtent, time: number, bootId: string) {
  return {
    sequence: (record?.sequence ?? 0) + 1,
    epoch: Math.max(record?.epoch ?? 0, recovered?.epoch ?? 0),
    isClean: false,
    published,
    durable: Math.min(record?.durable ?? published, published),
    trim: files.base(first),
    time: Math.max(time, record?.time ?? 0),
    bootId,
  }
}

/** Everything of a segment that its new file will not hold as it is. */
function setAsideOf(disk: Disk, extent: LogExtent, report: SegmentReport): SetAside[] {
  // All of it, under another name.
  if (report.damages.some(({ kind }) => kind === 'foreign')) return []
  const { files } = extent
  const path = files.path(report.segment)
  const name = path.slice(files.directory.length + 1)
  const file = disk.open(path, 'read')
  if (file === undefined) return []
  try {
    const size = file.size()
    const named = (places: readonly { from: number; to: number }[]) =>
      places
        .map(({ from, to }) => ({ file: path, from: Math.min(from, size), to: Math.min(to, size) }))
        .filter(({ from, to }) => from < to)
        .map((place) => ({ ...place, copy: `${name}.${place.from}-${place.to}` }))
    // All of it: nothing stays where it is.
    const packed = packedParts(file, files.base(report.segment), files.segmentBytes)
    if (packed !== undefined) return named(packed)
    const window = new SalvageWindow(file)
    const places = report.damages.some(({ kind }) => kind === 'header') ? [{ from: 0, to: segmentHeaderBytes }] : []
    // The seal is written anew as well, maybe further on.
    const dataEnd = isSealedIn(extent, report.segment) ? report.end - batchHeaderBytes : report.end
    const last = report.isTailLost ? report.ranges.at(-1)?.from : dataEnd
    places.push(...(report.isTailLost ? report.ranges.slice(0, -1) : report.ranges))
    // What was found behind the data: a lost end, the index, the remains of a torn batch.
    const rest = nonZeroSpan(window, last ?? segmentHeaderBytes, Math.max(size, files.segmentBytes))
    if (rest !== undefined) places.push({ from: rest.from, to: Math.min(rest.to, size) })
    return named(places)
  } finally {
    file.close()
  }
}
