/**
 * What it means for an open log that one of its threads ends, and what becomes of the segments that the thread had mapped.
 *
 * | thread | what is lost with it | then |
 * | --- | --- | --- |
 * | writer | what it was about to publish | nothing is appended any more, the log can be read |
 * | reaper | nothing: the next one takes over | the same, if there is no next one |
 * | reader | nothing: its tasks are begun again | the pool starts another; while there is none, the reaper answers |
 */
import type { Worker } from 'node:worker_threads'
import type { Watch } from '../dispatcher/watch.js'
import { BookendError } from '../errors.js'
import { standInBytes, standInSegments } from '../limits.js'
import type { OpenedLog } from '../threads/protocol.js'
import type { LogRead, ReadAnswer } from '../threads/reader/reader.js'
import type { Lanes } from './lanes.js'
import type { LogEvents } from './log-events.js'
import type { LogStage } from './log-stage.js'
import type { StartingThreads } from './starting-threads.js'

export interface ThreadDeathsParts {
  readonly threads: Pick<StartingThreads, 'state' | 'writer' | 'reaper' | 'slots'>
  readonly opened: Pick<OpenedLog, 'io' | 'segmentBytes'>
  readonly stage: LogStage
  readonly events: LogEvents
  readonly watch: Watch
  /** Other threads that append. */
  readonly lanes: Pick<Lanes, 'appendingEnded'>
}

export class ThreadDeaths {
  /** Resolves when there is no writer any more. */
  readonly writerExited: Promise<void>
  readonly #parts: ThreadDeathsParts

  constructor(parts: ThreadDeathsParts) {
    this.#parts = parts
    const { writer } = parts.threads
    this.writerExited = writer === undefined ? Promise.resolve() : this.#watchWriter(writer)
  }

  /** @param isReplaced another goes on; otherwise there will be none */
  reaperDied(exitCode: number, cause: unknown, isReplaced: boolean): void {
    const { stage, events } = this.#parts
    if (!stage.isOpen) return
    if (isReplaced) {
      events.error('BOOKEND_WORKER', `the reaper thread died (exit code ${exitCode}) and was replaced`)
      return
    }
    this.#endAppending('reaper', exitCode, cause)
  }

  /** What a thread that has ended had mapped is taken over, by the reaper of the moment. */
  ownerDied(threadId: number): void {
    this.#parts.threads.reaper.call((remote) => remote.ownerDied(threadId)).catch(() => {})
  }

  /** While no reader can answer, the reaper does, unless it would have to look at so much that its own work would have to wait. */
  standIn(task: LogRead): Promise<ReadAnswer> | undefined {
    const { threads, opened } = this.#parts
    const { state, reaper } = threads
    const indexed = state.indexed.load()
    const segments = (indexed - state.trim.load()) / opened.segmentBytes
    const isMuch = state.published.load() - indexed > standInBytes || segments > standInSegments
    return isMuch ? undefined : reaper.callOnce((remote) => remote.read(task))
  }

  /** Without its writer a log takes no more appends: what the thread was about to publish went with it. */
  async #watchWriter(worker: Worker): Promise<void> {
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    const { threadId } = worker
    const exitCode = await new Promise<number>((resolve) => worker.once('exit', resolve))
    this.#disown(threadId)
    if (!this.#parts.stage.isOpen && cause === undefined) return
    this.#endAppending('writer', exitCode, cause)
  }

  #endAppending(role: 'writer' | 'reaper', exitCode: number, cause: unknown): void {
    const message = `the ${role} thread died (exit code ${exitCode}): the log can be read, but takes no more appends until it is opened again`
    const error = new BookendError('BOOKEND_WORKER', message, { cause })
    this.#parts.events.error(error.code, error.message)
    this.#parts.watch.fail(error)
    this.#parts.lanes.appendingEnded(role)
  }

  /** The writer may have ended without giving its mappings back: the reaper must not touch what is not ours any more. */
  #disown(threadId: number): void {
    const { slots } = this.#parts.threads
    // A koffi mapping outlives its thread, and the reaper retires it. One of mmap-io was unmapped with the thread.
    if (this.#parts.opened.io === 'koffi') this.ownerDied(threadId)
    else
      for (const { slot, owner } of slots.rows()) if (owner === threadId && slots.tryWithdraw(slot)) slots.release(slot)
  }
}
