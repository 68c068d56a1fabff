/** What may go of a topic: trimmed now, through the writer, or let go by and by, which the reaper is told. */
import type { AppendSide } from '../dispatcher/appends/append-side.js'
import type { KeepAlive } from '../dispatcher/keep-alive.js'
import type { Watch } from '../dispatcher/watch.js'
import type { Retention } from '../engine/terms.js'
import { isFull, noSpaceError } from '../failures.js'
import type { LocalOptions } from './local-options.js'
import type { LocalTopic } from './local-topic.js'
import type { LogStage } from './log-stage.js'
import { callWriter, type StartingThreads } from './starting-threads.js'

export interface TopicLimitsParts {
  readonly options: Pick<LocalOptions, 'directory' | 'durability' | 'readOnly' | 'retention'>
  readonly threads: StartingThreads
  readonly appends: AppendSide
  readonly stage: LogStage
  readonly watch: Watch
  readonly keepAlive: KeepAlive
}

export class TopicLimits {
  readonly #parts: TopicLimitsParts
  readonly #retained = new Map<string, Retention>()

  constructor(parts: TopicLimitsParts) {
    this.#parts = parts
  }

  /** What was said of single topics since the log was opened: a reaper to come does not find it in files. */
  get retained(): [topic: string, retention: Retention][] {
    return [...this.#retained]
  }

  /** Resolves when messages below `before` are gone, as durably as the log promises. */
  async trim(topic: LocalTopic, before: number): Promise<void> {
    const { options, threads, appends, stage, watch, keepAlive } = this.#parts
    stage.checkWritable()
    const { handle } = topic
    // What was handed over before can be trimmed as well: let it be published first, as far as a full disk lets it.
    if (before > topic.next()) await appends.flush('process').catch(() => {})
    stage.checkWritable()
    if (watch.failure !== undefined) throw watch.failure
    // A topic that is not there has nothing to lose.
    if (!handle.isInLog) return
    const next = topic.next()
    if (before > next)
      throw new RangeError(
        `offset ${before} of topic "${topic.name}" is not written yet: the next one is ${next}, and trim(${next}) would delete everything there is`,
      )
    try {
      await keepAlive.during(callWriter(threads, (writer) => writer.trim(handle.id, before)))
    } catch (error) {
      watch.checkWorkers()
      if (watch.failure !== undefined) throw watch.failure
      const { errno = 0 } = error as NodeJS.ErrnoException
      throw isFull(errno) ? noSpaceError(errno, options.directory, 'the record of a trim') : error
    }
    // What the writer has written for it did not pass the ring, where it could be waited for.
    const isAwaited = options.durability === 'disk'
    await keepAlive.during(threads.reaper.call((remote) => remote.trimmed(isAwaited)))
    if (isAwaited) watch.checkWorking()
  }

  /** @param isAddition what was said of the topic before stays in force beside it */
  retain(topic: string, retention: Retention, isAddition: boolean): void {
    const { options, threads } = this.#parts
    if (options.readOnly) return
    const before = isAddition ? (this.#retained.get(topic) ?? options.retention) : {}
    const policy = { ...before, ...retention }
    // Before the call: a reaper that dies over it is followed by one that is told.
    this.#retained.set(topic, policy)
    threads.reaper.call((remote) => remote.retain(topic, policy)).catch(() => {})
  }
}
