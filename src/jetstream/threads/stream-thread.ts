/** What a thread of a log on JetStream does: modules of the application, over messages that it reads for them. */
import { toPortable } from '../../errors.js'
import type { ReadAnswer, ReadTask } from '../../threads/reader/reader.js'
import { ScanTasks } from '../../threads/reader/scan-task.js'
import { RangeReading } from './range-reading.js'
import type { StreamThreadData } from './thread-data.js'

export type StreamTask = Extract<ReadTask, { op: 'scan' | 'reduce' }>

export class StreamThread {
  readonly #ranges: RangeReading
  readonly #scans: ScanTasks

  /** @param now the wall clock */
  constructor(data: StreamThreadData, now: () => number) {
    const ranges = new RangeReading(data, now)
    this.#ranges = ranges
    this.#scans = new ScanTasks((topic, { offset, to }) => ranges.read(topic.name, offset, to))
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
    }
  }
}
