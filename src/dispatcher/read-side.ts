/** The read side of the dispatcher: tasks for the reader threads, never a task per message. */
import { Piscina } from 'piscina'
import { BookendError, fromPortable, type PortableError } from '../errors.js'
import { AbortWord } from '../ring/abort-word.js'
import type { ChunkAnswer, OffsetRange, ReadTask, RecordsAnswer } from '../threads/reader.js'
import type { ReaderData } from '../threads/shared-memory.js'
import type { KeepAlive } from './keep-alive.js'

/** Several ranges a thread: a thread that finishes early takes the next, and the slowest range costs less. */
const rangesPerReader = 4

interface TopicRef {
  id: number
  name: string
}

/** A lookup's answer, with where each record starts. */
interface LookupAnswer extends RecordsAnswer {
  starts: number[]
}

type Answer = { value: unknown } | { error: PortableError }

export class ReadSide {
  readonly #pool: Piscina<ReadTask, Answer>
  readonly #readers: number
  readonly #keepAlive: KeepAlive
  #threadIds: Set<number>
  #running = 0
  #taskCount = 0
  #whenIdle: (() => void)[] = []
  /** Lookups of one turn of the event loop travel in one task per topic. */
  #lookups = new Map<
    number,
    { topic: TopicRef; offsets: number[]; settle: ((answer: LookupAnswer | Error) => void)[] }
  >()

  /** @param onReaderDeath called with the thread that ended before the pool was closed */
  constructor(data: ReaderData, readers: number, keepAlive: KeepAlive, onReaderDeath: (threadId: number) => void) {
    this.#readers = readers
    this.#keepAlive = keepAlive
    this.#pool = new Piscina<ReadTask, Answer>({
      // A bare literal: bundlers find the worker by it.
      filename: new URL('../../workers/reader.js', import.meta.url).href,
      name: 'run',
      minThreads: readers,
      maxThreads: readers,
      // Parked in a blocking wait between tasks, a worker could not give retired mappings back.
      atomics: 'async',
      // An idle worker keeps its windows, indexes and modules; the reaper sees to the memory behind the windows.
      idleTimeout: Number.POSITIVE_INFINITY,
      workerData: data,
      recordTiming: false,
    })
    this.#threadIds = this.#liveThreads()
    this.#pool.on('workerCreate', () => {
      for (const threadId of this.#liveThreads()) this.#threadIds.add(threadId)
    })
    this.#pool.on('workerDestroy', () => {
      // A thread that has ended has lost its number: who is missing tells which it was.
      const live = this.#liveThreads()
      for (const threadId of this.#threadIds) if (!live.has(threadId)) onReaderDeath(threadId)
      this.#threadIds = live
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
        const { lengths, starts } = answer
        // A copy of its own: one kept message must not keep the whole answer.
        resolve({ bytes: answer.bytes.slice(starts[index], starts[index] + lengths[index]), length: lengths[index] })
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
    const abort = new AbortWord()
    const onAbort = () => abort.raise()
    signal?.addEventListener('abort', onAbort)
    try {
      const parts = this.#readers * rangesPerReader
      const ranges =
        from >= to ? [{ from, to }] : ((await this.#run({ op: 'ranges', topic, from, to, parts })) as OffsetRange[])
      const partial = await Promise.all(
        ranges.map((range) => this.#run({ op: 'scan', topic, ...range, module, abort: abort.shared })),
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

  #liveThreads(): Set<number> {
    return new Set(this.#pool.threads.map(({ threadId }) => threadId).filter((threadId) => threadId > 0))
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
          const found = { ...answer, starts: startsOf(answer.lengths) }
          for (const done of settle) done(found)
        },
        // One damaged record must not fail its neighbours: ask for each by itself.
        (error: Error) => {
          if (offsets.length === 1) return settle[0](error)
          offsets.forEach((offset, index) => {
            this.records(topic, [offset]).then(
              ({ bytes, lengths }) => {
                const spread = offsets.map((_, other) => (other === index ? lengths[0] : 0))
                settle[index]({ bytes, lengths: spread, starts: startsOf(spread) })
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
        if ((cause as Error | undefined)?.name === 'DataCloneError') {
          const message =
            'a scan module returned something that cannot travel between threads (a function, a class with methods): return plain data'
          throw new BookendError('BOOKEND_HANDLER', message, { cause })
        }
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

function startsOf(lengths: readonly number[]): number[] {
  let at = 0
  return lengths.map((length) => {
    at += length
    return at - length
  })
}
