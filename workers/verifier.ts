/** Entry of a thread that checks segments for `bookend verify`: a piscina worker, one segment a task. */

import type { SegmentReport, SegmentTask } from '../src/storage/check/verify-report.js'
import { verifySegment } from '../src/storage/check/verify-segment.js'
import { nodeDisk } from '../src/storage/files/disk.js'

export default function run(task: SegmentTask): SegmentReport {
  return verifySegment(nodeDisk, task)
}
