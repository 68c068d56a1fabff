/** Checking and repairing a log of a test world in this thread, as the command does it with many. */
import { expect } from 'vitest'
import { BookendError } from '../../src/errors.js'
import { ChunkCursor, partsOf } from '../../src/storage/chunk-cursor.js'
import { findExtent, type LogExtent } from '../../src/storage/log-extent.js'
import { planRepair, type RepairPlan, repair } from '../../src/storage/repair-log.js'
import type { TopicReader } from '../../src/storage/topic-reader.js'
import { type GroupsReport, lookAtGroups } from '../../src/storage/verify-groups.js'
import { joinReports, type LogReport, segmentTasks } from '../../src/storage/verify-log.js'
import type { SegmentReport } from '../../src/storage/verify-report.js'
import { verifySegment } from '../../src/storage/verify-segment.js'
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

/** Offsets of everything that can be read, going on where errors say so; fails on anything wrong. */
export function readWhatIsLeft(
  reader: TopicReader,
  topic: number,
  values: readonly Uint8Array[],
  first: number,
  next: number,
): Set<number> {
  const found = new Set<number>()
  for (let offset = first; offset < next; ) {
    try {
      const chunk = reader.read({ topic, offset, to: next })
      const cursor = new ChunkCursor(chunk.bytes, topic, offset, chunk.next)
      while (cursor.next()) {
        const { valueStart, valueEnd } = partsOf(cursor.words, cursor.frame)
        expect(Buffer.compare(chunk.bytes.subarray(valueStart, valueEnd), values[cursor.offset])).toBe(0)
        found.add(cursor.offset)
      }
      expect(chunk.next).toBeGreaterThan(offset)
      offset = chunk.next
    } catch (error) {
      if (!(error instanceof BookendError)) throw error
      expect(error.code).toBe('BOOKEND_CORRUPT')
      expect(error.offset).toBe(offset)
      if (error.next === undefined) break
      expect(error.next).toBeGreaterThan(offset)
      offset = error.next
    }
  }
  return found
}
