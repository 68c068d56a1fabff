/** Entry of a thread that checks segments for `bookend verify`: a piscina worker, one segment a task. */
import { nodeDisk } from '../src/storage/disk.js'
import type { SegmentReport } from '../src/storage/verify-report.js'
import { type SegmentTask, verifySegment } from '../src/storage/verify-segment.js'

export default function run(task: SegmentTask): SegmentReport {
  return verifySegment(nodeDisk, task)
}
