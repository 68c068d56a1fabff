/** What a thread of a log on JetStream does: modules of the application, over messages that it reads for them, or that came with the task. */
import { assert, toPortable } from '../../errors.js'
import type { HandlerMeans } from '../../threads/reader/handler.js'
import { HandlerTasks } from '../../threads/reader/handler-run.js'
import type { CarriedMessages, HandlerChunk } from '../../threads/reader/handler-task.js'
import type { ReadAnswer, ReadTask } from '../../threads/reader/reader.js'
import { ScanTasks } from '../../threads/reader/scan-task.js'
import { RangeReading } from './range-reading.js'
import type { StreamThreadData } from './thread-data.js'

export type StreamTask = Extract<ReadTask, { op: 'scan' | 'reduce' | 'process' }>

export class StreamThread {
  readonly #ranges: RangeReading
  readonly #scans: ScanTasks
  readonly #handlers: HandlerTasks | undefined
  /** Of the task under way: there is one at a time. */
  #carried: CarriedMessages | undefined

  /**
   * @param now the wall clock
   * @param handlers in a thread of a processor
   */
  constructor(data: StreamThreadData, now: () => number, handlers: HandlerMeans | undefined) {
    const ranges = new RangeReading(data, now)
    this.#ranges = ranges
    this.#scans = new ScanTasks((topic, { offset, to }) => ranges.read(topic.name, offset, to))
    if (handlers !== undefined) this.#handlers = new HandlerTasks((_, { to }) => this.#chunkTo(to), handlers)
  }

  /** Errors travel as values: an error object would lose its code and details between threads. */
  async run(task: StreamTask): Promise<ReadAnswer> {
    try {
      return { value: await this.#run(task) }
    } catch (error) {
      return { error: toPortable(error) }
    } finally {
      // One that was aborted, or has failed, leaves its range in the middle.
      this.#ranges.end()
    }
  }

  #run(task: StreamTask): Promise<unknown> {
    switch (task.op) {
      case 'scan':
        return this.#scans.run(task)
      case 'reduce':
        return this.#scans.reduce(task.module, task.parts)
      case 'process':
        assert(this.#handlers !== undefined, 'handlers run in threads of processors')
        this.#carried = task.carried
        return this.#handlers.run(task)
    }
  }

  /** What came with the task is all of its range, which does not grow. */
  #chunkTo(next: number): HandlerChunk {
    assert(this.#carried !== undefined, 'messages come with the task that is to handle them')
    return { bytes: this.#carried, next, resume: undefined, isSparse: true, release() {} }
  }
}
