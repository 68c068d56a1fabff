/**
 * How an open log ends. Order: no new calls; processors end; attached threads leave, and their lanes are drained; appends and reads under way
 * finish, and scans are ended; readers give their windows back and end; everything is flushed while the writer's mapping is there; the writer
 * ends; the reaper marks the log clean and ends; the lock goes last.
 */
import type { AppendSide } from '../dispatcher/appends/append-side.js'
import type { GroupCommits } from '../dispatcher/groups/group-commits.js'
import type { JournalKeeper } from '../dispatcher/groups/journal-keeper.js'
import type { KeepAlive } from '../dispatcher/keep-alive.js'
import type { HotReads } from '../dispatcher/reads/hot-reads.js'
import type { ReadSide } from '../dispatcher/reads/read-side.js'
import type { Watch } from '../dispatcher/watch.js'
import { closedError } from '../failures.js'
import type { Clockwork } from '../later/clockwork.js'
import type { Attachments } from './attached/attachments.js'
import type { Lanes } from './lanes.js'
import type { LockFile } from './lock-file.js'
import type { LogStage } from './log-stage.js'
import type { ReaderFarewell } from './reader-farewell.js'
import type { RunningProcessors } from './running-processors.js'
import { callWriter, type StartingThreads } from './starting-threads.js'
import type { ThreadDeaths } from './thread-deaths.js'

export interface LogClosingParts {
  readonly directory: string
  readonly threads: StartingThreads
  readonly lock: LockFile | undefined
  readonly stage: LogStage
  readonly watch: Watch
  readonly appends: AppendSide
  readonly lanes: Lanes
  readonly reads: ReadSide
  readonly hot: HotReads
  readonly commits: GroupCommits
  readonly processors: RunningProcessors
  readonly attachments: Attachments
  readonly farewell: ReaderFarewell
  readonly deaths: ThreadDeaths
  readonly keepAlive: KeepAlive
  readonly journals: JournalKeeper
  readonly clockwork: Clockwork
}

/** @throws what kept the last appends from the device; the log is closed all the same */
export async function closeLog(parts: LogClosingParts): Promise<void> {
  const { threads, watch, appends, reads, hot, commits, keepAlive } = parts
  const { reaper, writer, follower, bulk } = threads
  keepAlive.hold()
  let failure: unknown
  // First, so that what their handlers have done is acknowledged with the rest.
  await parts.processors.stop()
  // Before the flush: what threads have handed over that are attached, and what they have acknowledged, is written with the rest.
  await parts.attachments.close()
  // What it is delivering is handed over; the rest waits for the next start.
  await parts.clockwork.close()
  if (watch.failure === undefined && writer !== undefined) {
    const note = (error: unknown) => {
      failure ??= error
    }
    // Before the flush, which is of all that is published then.
    await parts.lanes.drain().catch(note)
    await appends.flush('disk').catch(note)
  }
  parts.stage.tellClosing()
  // Begun before the waits: a module that does not come back holds up what else its threads are asked for.
  const scansEnd = reads.endScans(closedError(parts.directory))
  // In this order: what is not in memory goes on to a reader thread, in the turn in which it was found out.
  await hot.idle()
  await scansEnd
  await reads.idle()
  await parts.farewell.say()
  await Promise.all([reads.close(), hot.close()])
  // What is flushed by now of transactions' acknowledgements goes into the file with the rest.
  parts.journals.stop()
  void parts.journals.takeOver()
  // The last of what consumers have acknowledged; whose commits fail has been told so.
  if ((writer ?? follower) !== undefined) await commits.flush('disk').catch(() => {})
  const isClean = failure === undefined && watch.failure === undefined && writer !== undefined
  watch.fail(closedError(parts.directory))
  const isWriterDone = await callWriter(threads, (control) => control.close()).then(
    () => true,
    () => false,
  )
  if (isWriterDone) await parts.deaths.writerExited
  await follower?.close()
  await reaper.close(isClean)
  await Promise.allSettled([writer?.terminate(), reaper.terminate()])
  bulk.close()
  await parts.lock?.close()
  keepAlive.end()
  if (failure !== undefined) throw failure
}
