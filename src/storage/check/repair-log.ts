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
import { encodeControlFile } from '../../format/control-layout.js'
import { formatVersion } from '../../format/segment-layout.js'
import { ControlFile } from '../files/control-file.js'
import type { Disk, DiskFile } from '../files/disk.js'
import { encodeGroupFile, GroupFile } from '../files/group-file.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { LogExtent } from './log-extent.js'
import type { RepairPlan } from './repair-plan.js'
import { type RepairTools, rebuildSegment } from './repair-segment.js'

const folderName = 'damaged'
const copyStepBytes = 1 << 20

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
  for (const segment of plan.sides) {
    files.removeSide(segment)
    onStep(`deleted ${files.sidePath(segment)}, which is made anew`)
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
    const { created } = extent
    const { features } = plan
    const identity = { version: formatVersion, segmentBytes: files.segmentBytes, created, features, id: files.id }
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
