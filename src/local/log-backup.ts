/** A backup of an open log: asked for here, made by the reaper. */
import type { KeepAlive } from '../dispatcher/keep-alive.js'
import type { BackupReport } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { closedError, isFull } from '../failures.js'
import { AbortWord } from '../ring/abort-word.js'
import type { LogStage } from './log-stage.js'
import type { ReaperThread } from './reaper-thread.js'

export interface LogBackupParts {
  readonly directory: string
  readonly reaper: ReaperThread
  readonly stage: LogStage
  readonly keepAlive: KeepAlive
  /** Publishes what was handed over before the call: it belongs to the copy. */
  publish(): Promise<void>
}

/** Copies the log into `target`, which is empty or not there. Whoever aborts it, or closes the log, ends it. */
export async function backUpLog(
  { directory, reaper, stage, keepAlive, publish }: LogBackupParts,
  target: string,
  signal: AbortSignal | undefined,
): Promise<BackupReport> {
  stage.checkOpen()
  signal?.throwIfAborted()
  const abort = new AbortWord()
  const giveUp = () => abort.raise()
  stage.onClose.add(giveUp)
  signal?.addEventListener('abort', giveUp)
  try {
    await publish()
    stage.checkOpen()
    return await keepAlive.during(reaper.callOnce((remote) => remote.backup(target, abort.shared)))
  } catch (error) {
    if (signal?.aborted && abort.isRaised) throw signal.reason
    if (!stage.isOpen && abort.isRaised) throw closedError(directory)
    const { code, errno = 0 } = error as NodeJS.ErrnoException
    if (code !== undefined && isFull(Math.abs(errno))) {
      const message = `no space for a backup in ${target} (${code}): nothing of it was kept`
      throw new BookendError('BOOKEND_NO_SPACE', message, { cause: error })
    }
    throw error
  } finally {
    stage.onClose.delete(giveUp)
    signal?.removeEventListener('abort', giveUp)
  }
}
