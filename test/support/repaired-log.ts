/** Checking and repairing a log of a test world in this thread, as the command does it with many. */
import { findExtent, type LogExtent } from '../../src/storage/check/log-extent.js'
import { repair } from '../../src/storage/check/repair-log.js'
import { planRepair, type RepairPlan } from '../../src/storage/check/repair-plan.js'
import { type GroupsReport, lookAtGroups } from '../../src/storage/check/verify-groups.js'
import { joinReports, type LogReport, segmentTasks } from '../../src/storage/check/verify-log.js'
import type { SegmentReport } from '../../src/storage/check/verify-report.js'
import { verifySegment } from '../../src/storage/check/verify-segment.js'
import { bootA } from './storage-log.js'
import type { World } from './worlds.js'

export function checkedLog(
  world: World,
  isLive = false,
): { extent: LogExtent; reports: SegmentReport[]; groups: GroupsReport; report: LogReport } {
  const { disk, directory } = world
  const extent = findExtent({ disk, directory, isLive, bootId: bootA })
  const reports = segmentTasks(extent).map((task) => verifySegment(disk, task))
  const groups = lookAtGroups(disk, extent)
  return { extent, reports, groups, report: joinReports(extent, reports, groups) }
}

export function repairedLog(world: World): RepairPlan {
  const { disk, plainMemory, calls } = world
  const { extent, reports, groups, report } = checkedLog(world)
  const plan = planRepair(disk, extent, reports, groups, report.damages, bootA)
  repair({ disk, files: extent.files, memory: plainMemory, calls }, extent, plan, new Date(0))
  return plan
}
