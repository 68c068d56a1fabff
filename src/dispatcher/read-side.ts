/** The read side of the dispatcher: tasks for the reader threads, never a task per message. */
import { Piscina } from 'piscina'
import { BookendError, fromPortable, type PortableError } from '../errors.js'
import type { ChunkAnswer, OffsetRange, ReadTask, RecordsAnswer } from '../threads/reader.js'
import type { ReaderData } from '../threads/shared-memory.js'
import type { KeepAlive } from './keep-alive.js'

/** Several ranges a thread: a thread that finishes early takes the next, and the slowest range costs less. */
const rangesPerReader = 4

interface TopicRef {
  id: number
  name: string
}

type Answer = { value: unknown } | { error: PortableError }

export class ReadSide {
  readonly #pool: Piscina<ReadTask, Answer>
  readonly #readers: number
  readonly #keepAlive: KeepAlive
  #running = 0
  #taskCount = 0
  #whenIdle: (() => void)[] = []
  /** Lookups of one turn of the event loop travel in one task per topic. */
  #lookups = new Map<
    number,
    { topic: TopicRef; offsets: number[]; settle: ((answer: RecordsAnswer | Error) => void)[] }
  >()

  /** @param onReaderDeath called with the thread that ended before the pool was closed */
  constructor(data: ReaderData, readers: number, keepAlive: KeepAlive, onReaderDeath: (threadId: number) => void) {
    this.#readers = readers
    this.#keepAlive = keepAlive
    this.#pool = new Piscina<ReadTask, Answer>({
      // A bare literal: bundlers find the worker by it.
      filename: new URL('../../workers/reader.js', import.meta.url).href,
      minThreads: readers,
      maxThreads: readers,
      // Parked in a blocking wait between tasks, a worker could not give retired mappings back.
      atomics: 'async',
      // An idle worker keeps its windows, indexes and modules; the reaper sees to the memory behind the windows.
      idleTimeout: Number.POSITIVE_INFINITY,
      workerData: data,
      recordTiming: false,
    })
    this.#pool.on('workerDestroy', (worker: { id?: number; threadId?: number }) => {
      const threadId = worker.threadId ?? worker.id
      if (threadId !== undefined) onReaderDeath(threadId)
    })
    // Every failed task rejects its own promise; the event is for tasks that have none.
    this.#pool.on('error', () => {})
  }

  get threads(): number {
    return this.#readers
  }

  get running(): number {
    return this.#running
  }

  get taskCount(): number {
    return this.#taskCount
  }

  chunk(task: Omit<Extract<ReadTask, { op: 'chunk' }>, 'op'>): Promise<ChunkAnswer> {
    return this.#run({ op: 'chunk', ...task }) as Promise<ChunkAnswer>
  }

  records(topic: TopicRef, offsets: number[]): Promise<RecordsAnswer> {
    return this.#run({ op: 'records', topic, offsets }) as Promise<RecordsAnswer>
  }

  /** One record; lookups made in the same turn share a task. */
  record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    return new Promise((resolve, reject) => {
      let batch = this.#lookups.get(topic.id)
      if (batch === undefined) {
        batch = { topic, offsets: [], settle: [] }
        this.#lookups.set(topic.id, batch)
        if (this.#lookups.size === 1) queueMicrotask(() => this.#sendLookups())
      }
      const index = batch.offsets.push(offset) - 1
      batch.settle.push((answer) => {
        if (answer instanceof Error) return reject(answer)
        const start = answer.lengths.slice(0, index).reduce((sum, length) => sum + length, 0)
        const length = answer.lengths[index]
        // A copy of its own: one kept message must not keep the whole answer.
        resolve({ bytes: answer.bytes.slice(start, start + length), length })
      })
    })
  }

  offsetAt(topic: TopicRef, time: number): Promise<number> {
    return this.#run({ op: 'offsetAt', topic, time }) as Promise<number>
  }

  async scan(
    topic: TopicRef,
    from: number,
    to: number,
    module: string,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const abort = new SharedArrayBuffer(4)
    const onAbort = () => Atomics.store(new Int32Array(abort), 0, 1)
    signal?.addEventListener('abort', onAbort)
    try {
      const parts = this.#readers * rangesPerReader
      const ranges =
        from >= to ? [{ from, to }] : ((await this.#run({ op: 'ranges', topic, from, to, parts })) as OffsetRange[])
      const partial = await Promise.all(
        ranges.map((range) => this.#run({ op: 'scan', topic, ...range, module, abort })),
      ).catch((error) => {
        // The other ranges need not go on.
        onAbort()
        throw error
      })
      signal?.throwIfAborted()
      return partial.length === 1 ? partial[0] : await this.#run({ op: 'reduce', module, parts: partial })
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Resolves when no task is running. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  #sendLookups(): void {
    const lookups = this.#lookups
    this.#lookups = new Map()
    for (const { topic, offsets, settle } of lookups.values()) {
      this.records(topic, offsets).then(
        (answer) => {
          for (const done of settle) done(answer)
        },
        // One damaged record must not fail its neighbours: ask for each by itself.
        (error: Error) => {
          if (offsets.length === 1) return settle[0](error)
          offsets.forEach((offset, index) => {
            this.records(topic, [offset]).then(
              ({ bytes, lengths }) => {
                const spread = offsets.map((_, other) => (other === index ? lengths[0] : 0))
                settle[index]({ bytes, lengths: spread })
              },
              (own: Error) => settle[index](own),
            )
          })
        },
      )
    }
  }

  async #run(task: ReadTask): Promise<unknown> {
    this.#running += 1
    this.#keepAlive.hold()
    this.#taskCount += 1
    try {
      // Errors of the log and of the application's modules travel as answers: a rejection is about the thread.
      const answer = await this.#pool.run(task).catch((cause: unknown) => {
        throw new BookendError('BOOKEND_WORKER', `a reader thread died during a task: ${String(cause)}`, { cause })
      })
      if ('error' in answer) throw fromPortable(answer.error)
      return answer.value
    } finally {
      this.#running -= 1
      this.#keepAlive.release()
      if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    }
  }
}
