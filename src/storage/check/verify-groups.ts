/** Checking the groups file: header, cells, and that no group is ahead of its topic. */
import { setTimeout } from 'node:timers/promises'
import { groupRecordAt, groupSectorBytes } from '../../format/group-layout.js'
import { logIdText, logMarkOf } from '../../format/log-id.js'
import type { Disk } from '../files/disk.js'
import { clampedTo, type FoundGroup, GroupFile } from '../files/group-file.js'
import type { LogExtent } from './log-extent.js'
import type { Damage, Remark } from './verify-report.js'

export interface GroupsReport {
  /** As the next owner goes on with them. Of an open log: as they stand in the file. */
  groups: FoundGroup[]
  damages: Damage[]
  remarks: Remark[]
}

/** Between two looks at what an owner may be writing at this moment. */
const pauseMs = 20
const looks = 4

/**
 * Of an open log only what stays damaged is: sectors are written while they are read.
 * @throws `BOOKEND_FORMAT` for another version
 */
export async function verifyGroups(disk: Disk, extent: LogExtent): Promise<GroupsReport> {
  let report = lookAtGroups(disk, extent)
  for (let look = 1; extent.isLive && report.damages.length > 0 && look < looks; look++) {
    await setTimeout(pauseMs)
    const { damages } = report
    report = lookAtGroups(disk, extent)
    report.damages = report.damages.filter(({ position }) => damages.some((before) => before.position === position))
  }
  return report
}

export function lookAtGroups(disk: Disk, { directory, files, isLive, recovered, record }: LogExtent): GroupsReport {
  const report: GroupsReport = { groups: [], damages: [], remarks: [] }
  const file = GroupFile.open(disk, directory, files.id, 'read')
  if (file === undefined) return report
  const mark = file.foreignMark
  const found = file.read()
  file.close()
  const where = { file: GroupFile.path(directory), lost: [] }
  if (mark !== undefined) {
    const whose = `${logIdText(mark)}), not to this one (${logIdText(logMarkOf(files.id))})`
    const what = `the file belongs to another log (${whose}: its groups are none of this log`
    return { ...report, damages: [{ ...where, kind: 'groups', position: 0, bytes: groupSectorBytes, what }] }
  }
  report.damages = found.damages.map(({ at, bytes, what }) => {
    return { ...where, kind: 'groups', position: at, bytes, what, lost: [] }
  })
  if (isLive) return { ...report, groups: found.groups }
  const nexts = new Map(recovered?.topics.map(({ name, next }) => [name, next]))
  report.groups = found.groups.map((group) => {
    const next = nexts.get(group.topic) ?? 0
    const state = clampedTo(group.state, next)
    if (state === group.state) return group
    const place = { ...where, position: groupRecordAt(group.id, group.sequence), bytes: groupSectorBytes, lost: [] }
    const end = group.state.ranges.at(-1)?.end ?? group.state.committed
    const what = `group ${group.name} has come to offset ${end} of topic ${group.topic}, which ends at ${next}`
    // A power cut may take the messages and leave the offset. A log that was closed in order has lost none.
    if (record?.isClean === true) report.damages.push({ ...place, kind: 'groups', what })
    else report.remarks.push({ ...place, kind: 'ahead', what: `${what}: the next owner puts it back` })
    return { ...group, state }
  })
  return report
}
