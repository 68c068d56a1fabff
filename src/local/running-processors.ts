/** The processors of a log: each has handler threads of its own, and all end before the log does. */
import { MessagePort } from 'node:worker_threads'
import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { KeepAlive } from '../dispatcher/keep-alive.js'
import { GroupProcessor, type ProcessorHost } from '../dispatcher/processing/processor.js'
import { ReaderPool } from '../dispatcher/reads/reader-pool.js'
import type { EngineFacts, Supports } from '../engine/engine.js'
import type { ProcessSettings } from '../engine/group-seat.js'
import type { Durability, Filter, TransactionParts } from '../engine/terms.js'
import type { LineWish } from '../threads/reader/handler.js'
import type { ReaderData } from '../threads/shared-memory.js'
import type { AckShare } from './group-transactions.js'
import type { LetterWrites } from './letter-writes.js'
import type { LocalTopic } from './local-topic.js'
import type { LogEvents } from './log-events.js'

/** A thread of a processor ends after this long without messages; starting one takes some tens of milliseconds. */
const handlerIdleMs = 10_000

export interface RunningProcessorsParts {
  readonly facts: EngineFacts
  readonly supports: Supports
  /** How many threads a processor has unless it is told. */
  readonly readers: number
  readonly readerData: ReaderData
  readonly events: LogEvents
  readonly keepAlive: KeepAlive
  topic(name: string): LocalTopic
  readonly letters: Pick<LetterWrites, 'store'>
  /** What is scheduled too, at one moment. */
  transact(parts: TransactionParts, acks: readonly AckShare[], level: Durability): Promise<unknown>
  /** See `EngineSchedules`. */
  isUpToDate(): Promise<boolean>
  /** @throws `BOOKEND_READ_ONLY` */
  checkWritable(): void
  /** A thread of a processor wants to append: this is its end of a channel to the log. */
  onAppending(port: MessagePort): void
  /** A thread has ended, and leaves what it had mapped. */
  onThreadEnd(threadId: number): void
}

export class RunningProcessors {
  readonly #parts: RunningProcessorsParts
  readonly #running = new Map<GroupProcessor, GroupDesk>()
  /** For who looks what has become of a group: the last one that has failed. */
  readonly #failed = new Map<GroupDesk, GroupProcessor>()

  constructor(parts: RunningProcessorsParts) {
    this.#parts = parts
  }

  /** @throws `BOOKEND_READ_ONLY` for dead letters where nothing is written */
  start(
    topic: LocalTopic,
    desk: GroupDesk,
    module: string,
    settings: ProcessSettings,
    filter: Filter | undefined,
  ): GroupProcessor {
    const { facts, supports, readers, readerData, events, keepAlive, letters, onThreadEnd } = this.#parts
    const { deadLetter, results, maxHeapMb, order, concurrency = readers } = settings
    // Nothing can be written: said before the first message fails.
    if (deadLetter !== undefined || results !== undefined) this.#parts.checkWritable()
    const maxThreads = order === 'topic' ? 1 : concurrency
    const onMessage = (message: unknown) => {
      const { lineFor } = (message ?? {}) as Partial<LineWish>
      if (lineFor instanceof MessagePort) this.#parts.onAppending(lineFor)
    }
    const pool = { maxThreads, idleTimeoutMs: handlerIdleMs, maxHeapMb, onMessage }
    const handler = { data: settings.data, facts, supports }
    const host: ProcessorHost = {
      maxMessageBytes: facts.maxMessageBytes,
      next: () => topic.next(),
      record: (_, offset) => topic.record(offset),
      store: (target, letter, own, _, word) =>
        letters.store(target.name, letter, own && { ...own, topic: topic.name, group: desk.name }, word),
      deadLetter: deadLetter === undefined ? undefined : this.#parts.topic(deadLetter).handle,
      ...(settings.durableRetries && { retries: this.#retriesOf(topic.name, desk.name) }),
      onFailure: (error) => events.processor(topic.name, desk.name, error),
      // Its threads come and go, and end with what they have mapped: nobody waits until they have closed it.
      threads: new ReaderPool({ ...readerData, handler }, pool, keepAlive, onThreadEnd),
    }
    const processor = new GroupProcessor(desk, host, module, { ...settings, concurrency, filter })
    this.#running.set(processor, desk)
    this.#failed.delete(desk)
    void keepAlive
      .during(processor.finished)
      .catch(() => this.#failed.set(desk, processor))
      .finally(() => this.#running.delete(processor))
    return processor
  }

  #retriesOf(topic: string, group: string): ProcessorHost['retries'] {
    const { facts, transact, isUpToDate } = this.#parts
    return {
      isUpToDate,
      reschedule: (message, { generation, offset }) => {
        const ranges = [{ first: offset, end: offset + 1 }]
        const parts = { messages: [], registers: [], scheduled: [message] }
        return transact(parts, [{ topic, group, generation, ranges }], facts.durability)
      },
    }
  }

  of(desk: GroupDesk): GroupProcessor[] {
    const failed = this.#failed.get(desk)
    const running = [...this.#running].filter(([, each]) => each === desk).map(([processor]) => processor)
    return failed === undefined || this.#running.has(failed) ? running : [...running, failed]
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((processor) => processor.stop()))
  }
}
