/** A thread that checks segments for `bookend verify`, one a task. */
import type { SegmentReport, SegmentTask } from '../src/storage/check/verify-report.js'
import { verifySegment } from '../src/storage/check/verify-segment.js'
import { nodeDisk } from '../src/storage/files/disk.js'

/** What pool.cts looks for. */
export function run(task: SegmentTask): SegmentReport {
  return verifySegment(nodeDisk, task)
}
