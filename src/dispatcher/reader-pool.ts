/** Threads that read the log, each with windows of its own: one pool answers the application, others run its handlers. */
import type { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { BookendError, fromPortable, type PortableError } from '../errors.js'
import type { ReadTask } from '../threads/reader.js'
import type { ReaderData } from '../threads/shared-memory.js'
import type { KeepAlive } from './keep-alive.js'

export interface PoolOptions {
  minThreads: number
  maxThreads: number
  /** A thread above `minThreads` ends after this long without a task. */
  idleTimeoutMs: number
  /** Heap of one thread; undefined: what Node gives it. */
  maxHeapMb: number | undefined
}

type Answer = { value: unknown } | { error: PortableError }

/** A thread that is told to end does so at once, unless it is inside a system call. Nobody waits longer than this for one. */
const endPatienceMs = 5_000

export class ReaderPool {
  readonly #pool: Piscina<ReadTask, Answer>
  readonly #keepAlive: KeepAlive
  readonly #onThreadEnd: (threadId: number) => void
  /** The threads that have not ended, and what tells their end. */
  readonly #alive = new Map<number, Promise<void>>()
  readonly #seen = new WeakSet<Worker>()
  readonly #running = new Set<(error: BookendError) => void>()
  #taskCount = 0
  #whenIdle: (() => void)[] = []

  /** @param onThreadEnd called with the number of each thread that has ended, whatever the reason */
  constructor(data: ReaderData, options: PoolOptions, keepAlive: KeepAlive, onThreadEnd: (threadId: number) => void) {
    this.#keepAlive = keepAlive
    this.#onThreadEnd = onThreadEnd
    this.#pool = new Piscina<ReadTask, Answer>({
      // A bare literal: bundlers find the worker by it.
      filename: new URL('../../workers/reader.js', import.meta.url).href,
      name: 'run',
      minThreads: options.minThreads,
      maxThreads: options.maxThreads,
      // Parked in a blocking wait between tasks, a worker could not give retired mappings back.
      atomics: 'async',
      idleTimeout: options.idleTimeoutMs,
      resourceLimits: options.maxHeapMb === undefined ? {} : { maxOldGenerationSizeMb: options.maxHeapMb },
      workerData: data,
      recordTiming: false,
    })
    this.#watchThreads()
    this.#pool.on('workerCreate', () => this.#watchThreads())
    // After the pool has seen to a replacement, if it is going to.
    this.#pool.on('workerDestroy', () => setImmediate(() => this.#failStranded()))
    // Every failed task rejects its own promise; the event is for threads that end without one.
    this.#pool.on('error', () => {})
  }

  /** Tasks under way. */
  get running(): number {
    return this.#running.size
  }

  get taskCount(): number {
    return this.#taskCount
  }

  /**
   * @param signal ends the thread if it fires while the task runs
   * @throws what the task threw; `BOOKEND_WORKER` if its thread ended
   */
  async run(task: ReadTask, signal?: AbortSignal): Promise<unknown> {
    this.#keepAlive.hold()
    this.#taskCount += 1
    let strand: (error: BookendError) => void = () => {}
    const stranded = new Promise<never>((_, reject) => {
      strand = reject
    })
    this.#running.add(strand)
    try {
      // Errors of the log and of the application's modules travel as answers: a rejection is about the thread.
      const answer = await Promise.race([this.#pool.run(task, { signal }), stranded]).catch((cause: unknown) => {
        throw threadError(cause)
      })
      if ('error' in answer) throw fromPortable(answer.error)
      return answer.value
    } finally {
      this.#running.delete(strand)
      this.#keepAlive.release()
      if (this.#running.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    }
  }

  /** Resolves when no task is running. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Resolves when that thread has ended, so that nothing it was told to do is done any more; or when it takes too long. */
  ended(threadId: number): Promise<void> {
    return inTime([this.#alive.get(threadId)])
  }

  /** Ends all threads. What they had mapped is not theirs any more when this resolves. */
  async close(): Promise<void> {
    const alive = [...this.#alive.values()]
    await inTime([this.#pool.destroy(), ...alive])
  }

  #watchThreads(): void {
    for (const worker of this.#pool.threads) {
      const { threadId } = worker
      if (threadId <= 0 || this.#seen.has(worker)) continue
      this.#seen.add(worker)
      const end = new Promise<void>((resolve) => {
        worker.once('exit', () => {
          this.#alive.delete(threadId)
          this.#onThreadEnd(threadId)
          resolve()
        })
      })
      this.#alive.set(threadId, end)
    }
  }

  /** The pool starts threads when it is given a task, and not again if one dies before it is ready: its task would wait for ever. */
  #failStranded(): void {
    if (this.#pool.threads.length > 0) return
    for (const strand of this.#running)
      strand(new BookendError('BOOKEND_WORKER', 'no reader thread could be started: see the limits of the process'))
  }
}

function threadError(cause: unknown): BookendError {
  if (cause instanceof BookendError) return cause
  if ((cause as Error | undefined)?.name === 'DataCloneError') {
    const message =
      'a scan module returned something that cannot travel between threads (a function, a class with methods): return plain data'
    return new BookendError('BOOKEND_HANDLER', message, { cause })
  }
  return new BookendError('BOOKEND_WORKER', `a reader thread died during a task: ${String(cause)}`, { cause })
}

async function inTime(ends: (Promise<void> | undefined)[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, endPatienceMs)
  })
  await Promise.race([Promise.allSettled(ends), late])
  clearTimeout(timer)
}
