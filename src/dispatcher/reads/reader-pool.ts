/** Threads that read the log, each with windows of its own: one pool answers the application, others run its handlers. */
import { createRequire } from 'node:module'
import type { Worker } from 'node:worker_threads'
import type * as Package from 'piscina'
import { BookendError, fromPortable } from '../../errors.js'
import { inheritedFlags } from '../../threads/own-threads.js'
import type { LogRead, ReadAnswer, ReadTask } from '../../threads/reader/reader.js'
import type { KeepAlive } from '../keep-alive.js'

// Bare literals: bundlers find the workers by them.
const poolEntry = new URL('../../../workers/pool.cjs', import.meta.url)
const localReader = new URL('../../../workers/reader.js', import.meta.url)

export interface PoolOptions {
  /** The module whose `run` its threads run; unless said: they read a log in a directory. */
  entry?: URL
  maxThreads: number
  /**
   * A thread ends after this long without a task. Each time one has to be started again the time doubles, and beyond
   * an hour none ends any more: a thread costs tens of milliseconds at its start, and may leave mappings behind.
   */
  idleTimeoutMs: number
  /** Heap of one thread; undefined: what Node gives it. */
  maxHeapMb: number | undefined
  /** What code in a thread posts to who has started it: of the library, or of the application. */
  onMessage?(message: unknown): void
}

/** Makes the pool start a thread in the place of one that has ended; whoever gets it does nothing. */
interface ReplaceTask {
  op: 'none'
}

type Threads = Package.Piscina<ReadTask | ReplaceTask, ReadAnswer>

/** How often a read whose thread dies under it is begun again before it fails. */
const maxAttempts = 3

/** Answers a read while the pool has no thread that could, or not at all. Rejects where it cannot go on doing so. */
export type AskStandIn = (task: LogRead) => Promise<ReadAnswer> | undefined

/** No thread that is started again and again ends after a longer pause than this. */
const maxIdleMs = 3_600_000

/** A thread that is told to end does so at once, unless it is inside a system call. Nobody waits longer than this for one. */
const endPatienceMs = 5_000
/** A thread that starts loads modules, which takes a second or two where there is much else to do. Longer than this nobody waits for that. */
const startPatienceMs = 60_000

/** Starts no thread before the first task. */
export class ReaderPool {
  /** Made with the first task: many logs are only written to, and the package takes 5 MB. */
  #pool: Threads | undefined
  readonly #data: object
  readonly #options: PoolOptions
  readonly #keepAlive: KeepAlive
  readonly #onThreadEnd: (threadId: number) => void
  /** The threads that have not ended, and what tells their end. */
  readonly #alive = new Map<number, Promise<void>>()
  readonly #seen = new WeakSet<Worker>()
  /** Threads that have loaded everything and take tasks at once. */
  readonly #ready = new Set<number>()
  #standIn: AskStandIn | undefined
  #hasLost = false
  /** Tasks handed to the pool and not answered. */
  readonly #waiting = new Set<(cause: unknown) => void>()
  #running = 0
  #taskCount = 0
  #isClosed = false
  #whenIdle: (() => void)[] = []

  /**
   * @param data for each thread
   * @param onThreadEnd called with the number of each thread that has ended, whatever the reason
   */
  constructor(
    data: object,
    options: PoolOptions,
    keepAlive: KeepAlive,
    onThreadEnd: (threadId: number) => void,
    standIn?: AskStandIn,
  ) {
    this.#standIn = standIn
    this.#keepAlive = keepAlive
    this.#onThreadEnd = onThreadEnd
    this.#data = data
    this.#options = options
  }

  #started(): Threads {
    this.#pool ??= this.#make()
    return this.#pool
  }

  #make(): Threads {
    const options = this.#options
    const { Piscina } = createRequire(import.meta.url)('piscina') as typeof Package
    const pool: Threads = new Piscina({
      filename: poolEntry.href,
      ...inheritedFlags(),
      name: 'run',
      // Threads are started by the tasks that need them: the pool itself would replace one in an event, where a thread that
      // cannot be had (no descriptor left) is an exception that nobody can catch.
      minThreads: 0,
      maxThreads: options.maxThreads,
      // Parked in a blocking wait between tasks, a worker could not give retired mappings back.
      atomics: 'async',
      idleTimeout: options.idleTimeoutMs,
      resourceLimits: options.maxHeapMb === undefined ? {} : { maxOldGenerationSizeMb: options.maxHeapMb },
      workerData: { ...this.#data, entry: (options.entry ?? localReader).href },
      recordTiming: false,
    })
    // Each is announced when it is ready.
    pool.on('workerCreate', ({ id }) => {
      this.#watchThreads()
      this.#ready.add(id)
      if (this.#hasLost) this.#stayLonger(pool)
    })
    // Later, when the pool has taken it out of those that it gives tasks to.
    pool.on('workerDestroy', () => setImmediate(() => this.#replace()))
    const { onMessage } = options
    if (onMessage !== undefined) pool.on('message', onMessage)
    // Every failed task rejects its own promise; the event is for threads that ended before they got one.
    pool.on('error', (cause) => this.#failStranded(cause))
    return pool
  }

  get #threads(): readonly Worker[] {
    return this.#pool?.threads ?? []
  }

  /** Those that have been started and have not ended. */
  get threadCount(): number {
    return this.#alive.size
  }

  /** How long a thread stays without a task, as of now. */
  get idleTimeoutMs(): number {
    return this.#pool?.options.idleTimeout ?? this.#options.idleTimeoutMs
  }

  #stayLonger({ options }: Threads): void {
    const doubled = 2 * options.idleTimeout
    // The pool asks its options at each pause.
    options.idleTimeout = doubled > maxIdleMs ? Number.POSITIVE_INFINITY : doubled
  }

  /** Tasks under way. */
  get running(): number {
    return this.#running
  }

  get taskCount(): number {
    return this.#taskCount
  }

  /**
   * A task that only reads the log is begun again where its thread dies. Not so what runs modules of the application: it may be
   * them that end threads.
   * @param signal ends the thread if it fires while the task runs
   * @throws what the task threw; `BOOKEND_WORKER` if its thread ended, or none could be started
   */
  async run(task: ReadTask, signal?: AbortSignal): Promise<unknown> {
    this.#keepAlive.hold()
    this.#taskCount += 1
    this.#running += 1
    try {
      // Errors of the log and of the application's modules travel as answers: a rejection is about the thread.
      const answer = await this.#runToAnswer(task, signal).catch((cause: unknown) => {
        throw threadError(cause)
      })
      if ('error' in answer) throw fromPortable(answer.error)
      const { value } = answer
      // Taken out, not shared: sets and maps that threw a settled task away, here and in the pool, leave tables behind that still
      // lead to its answer, until all of the heap is collected. 64 MB of chunks would wait with it.
      answer.value = undefined
      return value
    } finally {
      this.#running -= 1
      this.#keepAlive.release()
      if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    }
  }

  /** Resolves when no task is running. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Resolves when that thread has ended, so that nothing it was told to do is done any more; or when it takes too long. */
  ended(threadId: number): Promise<void> {
    return inTime([this.#alive.get(threadId)])
  }

  /** Ends all threads. What they had mapped is not theirs any more when this resolves. */
  async close(): Promise<void> {
    this.#isClosed = true
    const pool = this.#pool
    if (pool === undefined) return
    const starting = pool.threads.filter(({ threadId }) => threadId > 0 && !this.#ready.has(threadId))
    // Before any is ended: to end a thread while it loads native code ends the process.
    await inTime(starting.map(firstNews), startPatienceMs)
    const alive = [...this.#alive.values()]
    await inTime([pool.destroy(), ...alive])
  }

  #watchThreads(): void {
    for (const worker of this.#threads) {
      const { threadId } = worker
      if (threadId <= 0 || this.#seen.has(worker)) continue
      this.#seen.add(worker)
      let wasReady = false
      // An exception ends a thread, and is news of it before its end is.
      worker.once('error', () => {
        wasReady = this.#ready.has(threadId)
        this.#lost(threadId)
      })
      const end = new Promise<void>((resolve) => {
        worker.once('exit', (code) => {
          wasReady ||= this.#ready.has(threadId)
          this.#lost(threadId)
          this.#alive.delete(threadId)
          this.#onThreadEnd(threadId)
          resolve()
          // The pool has given it no task that it could fail.
          if (!wasReady) this.#failStranded(new Error(`a reader thread ended with code ${code} before it was ready`))
        })
      })
      this.#alive.set(threadId, end)
    }
  }

  #lost(threadId: number): void {
    this.#ready.delete(threadId)
    this.#hasLost = true
  }

  async #runToAnswer(task: ReadTask, signal: AbortSignal | undefined): Promise<ReadAnswer> {
    const mayRepeat = isLogRead(task)
    for (let attempt = 1; ; attempt++) {
      try {
        return await ((mayRepeat ? this.#askStandIn(task) : undefined) ?? this.#submit(task, signal))
      } catch (error) {
        const isClone = (error as Error | undefined)?.name === 'DataCloneError'
        if (!mayRepeat || isClone || attempt === maxAttempts || this.#isClosed || signal?.aborted) throw error
      }
    }
  }

  /** Undefined: a thread of the pool is there, or is only just starting with its log, or nobody stands in for it. */
  #askStandIn(task: LogRead): Promise<ReadAnswer> | undefined {
    if (!this.#hasLost || this.#ready.size > 0 || this.#isClosed) return undefined
    const answer = this.#standIn?.(task)
    if (answer === undefined) return undefined
    // What is to come after this read needs a thread.
    if (this.#threads.length === 0) this.#start()
    return answer.catch((cause) => {
      // It may be the task that ended it: nobody else is asked to stand in.
      this.#standIn = undefined
      throw cause
    })
  }

  /** Runs a task in the pool. Rejects where its thread dies, or where none can be started for it. */
  #submit(task: ReadTask | ReplaceTask, signal?: AbortSignal): Promise<ReadAnswer> {
    // Nobody would end what is started now.
    if (this.#isClosed) return Promise.reject(new Error('the threads have been ended'))
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      const done = () => this.#waiting.delete(reject)
      try {
        this.#started().run(task, { signal }).then(resolve, reject).finally(done)
        // The pool tells of a thread that it has started once that is ready; it may end before.
        if (this.#alive.size < this.#options.maxThreads) this.#watchThreads()
      } catch (error) {
        // The pool has put the task into its queue before it found that it cannot start a thread. It may still be run; its
        // answer goes nowhere then.
        done()
        reject(error)
      }
    })
  }

  /** What waits in the pool's queue needs a thread, and only a new task makes the pool start one. */
  #replace(): void {
    if (!this.#isClosed && this.#waiting.size > 0) this.#start()
  }

  /** Has the pool start a thread, where none is idle. */
  #start(): void {
    this.#submit({ op: 'none' }).catch((cause) => this.#failStranded(cause))
  }

  /** The thread for the tasks in the queue could not be started, and nobody would ever take them. */
  #failStranded(cause: unknown): void {
    if (this.#threads.length > 0) return
    for (const reject of this.#waiting) reject(cause)
    this.#waiting.clear()
  }
}

function isLogRead(task: ReadTask): task is LogRead {
  return task.op !== 'scan' && task.op !== 'reduce' && task.op !== 'process'
}

/** Of a thread that is loading what it runs: its first message says that it has, its end that it never will. */
function firstNews(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['message', 'exit']) worker.once(event, () => resolve())
  })
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

async function inTime(ends: (Promise<void> | undefined)[], patienceMs = endPatienceMs): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs)
  })
  await Promise.race([Promise.allSettled(ends), late])
  clearTimeout(timer)
}
