/** Checking all segments of a log with all cores. */
import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { findExtent, type LogExtent } from '../storage/check/log-extent.js'
import { type GroupsReport, verifyGroups } from '../storage/check/verify-groups.js'
import { joinReports, type LogReport, segmentTasks } from '../storage/check/verify-log.js'
import type { SegmentReport, SegmentTask } from '../storage/check/verify-report.js'
import { nodeDisk } from '../storage/files/disk.js'
import { findOwner, type LogOwner } from '../storage/files/log-owner.js'
import { inheritedFlags } from '../threads/own-threads.js'
import type { Progress } from './progress.js'

export interface Verified {
  extent: LogExtent
  reports: SegmentReport[]
  groups: GroupsReport
  report: LogReport
  owner: LogOwner
}

export interface VerifyOptions {
  directory: string
  /** Threads; undefined: one for each core. */
  threads: number | undefined
  /** Told how far it is. */
  progress?: (total: number) => Progress
  signal?: AbortSignal
  /** This process holds the lock itself. */
  isOwner?: boolean
}

/** Segments to a thread that wait in its queue: enough to keep it busy, few enough to be stopped soon. */
const queued = 2

export async function verifyLog(options: VerifyOptions): Promise<Verified> {
  const { directory, threads, signal, isOwner = false } = options
  const owner = findOwner(directory)
  const isLive = !isOwner && owner.state !== 'none'
  const extent = findExtent({ disk: nodeDisk, directory, isLive })
  const groups = await verifyGroups(nodeDisk, extent)
  const tasks = segmentTasks(extent)
  const count = Math.max(1, Math.min(threads ?? availableParallelism(), tasks.length))
  const pool = new Piscina<SegmentTask, SegmentReport>({
    // Bare literals: bundlers find the workers by them.
    filename: new URL('../../workers/pool.cjs', import.meta.url).href,
    workerData: { entry: new URL('../../workers/verifier.js', import.meta.url).href },
    name: 'run',
    ...inheritedFlags(),
    minThreads: 0,
    maxThreads: count,
    recordTiming: false,
  })
  const progress = options.progress?.(tasks.length * extent.files.segmentBytes)
  const reports: SegmentReport[] = []
  try {
    let next = 0
    const drain = async () => {
      for (let index = next++; index < tasks.length; index = next++) {
        signal?.throwIfAborted()
        reports[index] = await pool.run(tasks[index])
        progress?.advance(extent.files.segmentBytes)
      }
    }
    await Promise.all(Array.from({ length: count * queued }, drain))
  } finally {
    progress?.end()
    await pool.destroy()
  }
  const left = extent.isLive ? withoutDeleted(extent, reports) : reports
  return { extent, reports: left, groups, report: joinReports(extent, left, groups), owner }
}

/** An owner at work may have deleted segments since: they are not missing. */
function withoutDeleted({ directory, files }: LogExtent, reports: SegmentReport[]): SegmentReport[] {
  const { first } = findExtent({ disk: nodeDisk, directory, isLive: true })
  return reports.filter(({ segment }) => files.base(segment) >= files.base(first))
}
