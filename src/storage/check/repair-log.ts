/**
 * Repairing a log: damaged ranges are set aside, what is whole is kept where it is, indexes and the control file are made
 * anew. Nothing is destroyed, and nothing that was lost is passed over in silence: its offsets stay lost, and reads of
 * them fail as before.
 *
 * Order: first everything that will not be in the repaired files is copied into a folder and made durable, with a manifest; then
 * each damaged segment is built anew beside the old one and takes its name; then the groups and control files, the same way. So a crash
 * at any point leaves files that are either as they were or repaired, and the next run repairs the rest.
 */
import path from 'node:path'
import { batchHeaderBytes } from '../../format/batch-layout.js'
import { type ControlRecord, controlBytes, encodeControlFile } from '../../format/control-layout.js'
import { formatVersion, indexBytes, segmentHeaderBytes } from '../../format/segment-layout.js'
import type { TopicState } from '../append/topic-state.js'
import { ControlFile } from '../files/control-file.js'
import type { Disk, DiskFile } from '../files/disk.js'
import { encodeGroupFile, type FoundGroup, GroupFile } from '../files/group-file.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { nameForLost } from '../index/legible-frames.js'
import { isSealedIn, type LogExtent } from './log-extent.js'
import { nonZeroSpan } from './non-zero-span.js'
import {
  type Amendment,
  type RepairTools,
  type Restatement,
  rebuildSegment,
  type SegmentPlan,
} from './repair-segment.js'
import type { GroupsReport } from './verify-groups.js'
import { beginningOf, lostBeginnings } from './verify-log.js'
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
  /** The control file is made anew. */
  control: ControlRecord | undefined
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
const folderName = 'damaged'
const copyStepBytes = 1 << 20

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
  const { files, record, recovered } = extent
  const { strangers } = extent
  const plan: RepairPlan = {
    setAside: [],
    segments: [],
    strangers,
    control: undefined,
    groups: undefined,
    damages,
    left: [],
  }
  plan.left = damages.filter(({ kind }) => !mendable.has(kind) && kind !== 'offsets')
  // Whose segment it is cannot be told where two only disagree about a name.
  const own = new Set(reports.flatMap((report) => report.damages))
  plan.left.push(
    ...damages.filter((damage) => {
      const isFile = strangers.some((segment) => files.path(segment) === damage.file)
      return damage.kind === 'foreign' && !own.has(damage) && !isFile
    }),
  )
  // Missing offsets are not left over if what took them is mended now.
  plan.left.push(...damages.filter(({ kind }) => kind === 'offsets'))
  const names = namesOf(reports, recovered?.topics ?? [])
  const beginnings = lostBeginnings(reports)
  let time = 0
  for (const report of reports) {
    // Times never decrease: a gap takes that of the batch in front of it, or behind it where the segment begins with it.
    const around = report.firstTime || time
    time = Math.max(time, report.lastTime)
    if (!report.damages.some(({ kind }) => rebuildable.has(kind))) continue
    const { segment, ranges, isTailLost, end } = report
    const { restated, amendments } = statementsOf(report, extent, beginnings.get(report) ?? [], names)
    const records = report.topics.reduce((sum, { goesOnAt, leastFirst }) => sum + goesOnAt - leastFirst, 0)
    const inIndex = new Set([...report.topics.map(({ id }) => id), ...restated.map(({ topic }) => topic)])
    const nameBytes = [...inIndex].reduce((sum, id) => sum + (names.get(id)?.name.length ?? 0), 0)
    plan.segments.push({
      segment,
      ranges: ranges.map((range) => ({ ...range, time: range.time || around })),
      isTailLost,
      end,
      isSealed: isSealedIn(extent, segment),
      keepsHeader: !report.damages.some(({ kind }) => kind === 'header' || kind === 'foreign'),
      epoch: report.lastEpoch || record?.epoch || 1,
      time,
      indexBytes: indexBytes(records, inIndex.size, nameBytes),
      restated,
      amendments,
    })
    plan.setAside.push(...setAsideOf(disk, extent, report))
  }
  if (extent.damages.length > 0) {
    plan.control = {
      sequence: (record?.sequence ?? 0) + 1,
      epoch: Math.max(record?.epoch ?? 0, recovered?.epoch ?? 0),
      isClean: false,
      published: extent.published,
      durable: Math.min(record?.durable ?? extent.published, extent.published),
      trim: files.base(extent.first),
      time: Math.max(time, record?.time ?? 0),
      bootId,
    }
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

interface KnownTopic {
  name: string
  first: number
  /** The first segment that holds something of it. */
  since: number
}

/** Each topic's name, made up where nothing says it; the first offset of it that can be read; and where it begins. */
function namesOf(reports: readonly SegmentReport[], recovered: readonly TopicState[]): Map<number, KnownTopic> {
  const nowhere = Number.POSITIVE_INFINITY
  const names = new Map(recovered.map(({ id, name, first }) => [id, { name, first, since: nowhere }]))
  for (const { segment, topics } of reports) {
    for (const { id, name } of topics) {
      const known = names.get(id) ?? { name: '', first: 0, since: nowhere }
      names.set(id, { ...known, name: name || known.name, since: Math.min(known.since, segment) })
    }
  }
  const taken = new Set([...names.values()].map(({ name }) => name))
  for (const { id, legibleName } of reports.flatMap(({ topics }) => topics)) {
    const known = names.get(id)
    if (known?.name === '') known.name = nameForLost(id, legibleName, taken)
  }
  return names
}

/** What the damage took of what the segment says of its topics. */
function statementsOf(
  { segment, topics }: SegmentReport,
  extent: LogExtent,
  beginnings: readonly TopicInSegment[],
  names: ReadonlyMap<number, KnownTopic>,
): { restated: Restatement[]; amendments: Amendment[] } {
  const stated = ({ id, readable }: TopicInSegment, next: number) => {
    const { name = '', first = 0 } = names.get(id) ?? {}
    return { topic: id, name, next, readable: Math.max(readable, first) }
  }
  const undeclared = topics.filter(({ isDeclared }) => !isDeclared)
  return {
    restated: [
      ...undeclared.map((topic) => ({
        // Else it goes on from the segment before.
        ...stated(topic, names.get(topic.id)?.since === segment ? beginningOf(extent, topic) : topic.first),
        before: topic.firstAt - extent.files.base(segment),
        goesOnAt: topic.goesOnAt,
      })),
      ...beginnings.map((topic) => ({
        ...stated(topic, topic.readable),
        before: Number.POSITIVE_INFINITY,
        goesOnAt: topic.readable,
      })),
    ],
    amendments: topics.filter(({ next, goesOnAt }) => goesOnAt > next).map((topic) => stated(topic, topic.goesOnAt)),
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
    const window = new SalvageWindow(file)
    const places = report.damages.some(({ kind }) => kind === 'header') ? [{ from: 0, to: segmentHeaderBytes }] : []
    // The seal is written anew as well, maybe further on.
    const dataEnd = isSealedIn(extent, report.segment) ? report.end - batchHeaderBytes : report.end
    const last = report.isTailLost ? report.ranges.at(-1)?.from : dataEnd
    places.push(...(report.isTailLost ? report.ranges.slice(0, -1) : report.ranges))
    // What was found behind the data: a lost end, the index, the remains of a torn batch.
    const rest = nonZeroSpan(window, last ?? segmentHeaderBytes, Math.max(size, files.segmentBytes))
    if (rest !== undefined) places.push({ from: rest.from, to: Math.min(rest.to, size) })
    return places
      .map(({ from, to }) => ({ file: path, from: Math.min(from, size), to: Math.min(to, size) }))
      .filter(({ from, to }) => from < to)
      .map((place) => ({ ...place, copy: `${name}.${place.from}-${place.to}` }))
  } finally {
    file.close()
  }
}

/** Carries the plan out. @returns the folder with what was set aside; undefined where there was nothing to set aside */
export function repair(
  tools: RepairTools,
  extent: LogExtent,
  plan: RepairPlan,
  now: Date,
  onStep: (what: string) => void = () => {},
): string | undefined {
  const { files, disk } = tools
  files.removeUnfinished()
  const folder = setAside(disk, extent, plan, now)
  if (folder !== undefined) onStep(`set aside ${plan.setAside.length} ranges in ${folder}`)
  for (const segment of plan.strangers) {
    const where = files.setAside(segment)
    disk.syncDirectory(files.directory)
    onStep(`moved ${files.path(segment)}, which belongs to another log, to ${where}`)
  }
  for (const segment of plan.segments) {
    const rest = rebuildSegment(tools, segment)
    for (const { name } of rest) onStep(`no room to state where topic ${name} goes on`)
    onStep(`repaired ${files.path(segment.segment)}`)
  }
  if (plan.groups !== undefined) {
    replaceFile(disk, GroupFile.path(extent.directory), encodeGroupFile(plan.groups, files.id))
    onStep(`made ${GroupFile.path(extent.directory)} anew`)
  }
  // Last: whoever repairs holds a lock on the old one, and not on the new.
  if (plan.control !== undefined) {
    const identity = { version: formatVersion, segmentBytes: files.segmentBytes, created: extent.created, id: files.id }
    replaceFile(disk, ControlFile.path(extent.directory), encodeControlFile(identity, plan.control))
    onStep(`made ${ControlFile.path(extent.directory)} anew`)
  }
  return folder
}

function setAside(disk: Disk, { directory }: LogExtent, plan: RepairPlan, now: Date): string | undefined {
  if (plan.setAside.length === 0) return undefined
  const parent = path.join(directory, folderName)
  disk.makeDirectory(parent)
  const folder = path.join(parent, freeName(disk.list(parent), now))
  disk.makeDirectory(folder)
  for (const { file, from, to, copy } of plan.setAside) {
    const source = disk.open(file, 'read')
    if (source === undefined) continue
    writeWhole(disk, path.join(folder, copy), (target) => copyRange(source, target, from, to))
    source.close()
  }
  const manifest = {
    time: now.toISOString(),
    directory,
    ranges: plan.setAside,
    damages: plan.damages,
    left: plan.left,
  }
  writeWhole(disk, path.join(folder, 'manifest.json'), (target) => {
    target.write(0, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`))
  })
  disk.syncDirectory(folder)
  return folder
}

/** Colons are no part of a name on every system. */
function freeName(taken: readonly string[], now: Date): string {
  const name = now.toISOString().replaceAll(':', '-')
  for (let number = 2; ; number++) {
    const candidate = number === 2 ? name : `${name}-${number - 1}`
    if (!taken.includes(candidate)) return candidate
  }
}

function writeWhole(disk: Disk, name: string, fill: (file: DiskFile) => void): void {
  const file = disk.create(name)
  try {
    fill(file)
    file.sync()
  } finally {
    file.close()
  }
}

/** What the device does not give is zeros in the copy. */
function copyRange(source: DiskFile, target: DiskFile, from: number, to: number): void {
  const window = new SalvageWindow(source)
  for (let at = from; at < to; at += copyStepBytes) {
    target.write(at - from, window.read(at, Math.min(copyStepBytes, to - at)))
  }
}

/** The file takes its name when it is durable, in one step. */
function replaceFile(disk: Disk, where: string, bytes: Uint8Array): void {
  const directory = path.dirname(where)
  const temporary = `${where}.new`
  if (disk.list(directory).includes(path.basename(temporary))) disk.remove(temporary)
  writeWhole(disk, temporary, (file) => file.write(0, bytes))
  disk.rename(temporary, where)
  disk.syncDirectory(directory)
}
