/**
 * Scans, each shared by several threads: its range is cut, they take the pieces, and what they came to is put together in the order of the
 * pieces. Where messages come from is the threads' business.
 *
 * A log that closes ends them: their threads look between two batches. Who does not come to it, as a module does not come back, is ended
 * with his thread.
 */
import type { ScanRequest } from '../../engine/engine.js'
import { type BookendError, isThreadDeath } from '../../errors.js'
import { AbortWord } from '../../ring/abort-word.js'
import { RangeClaims } from '../../ring/range-claims.js'
import type { ReadTask, TopicRef } from '../../threads/reader/reader.js'
import type { ScanPart, ScanRange } from '../../threads/reader/scan-task.js'

/** Several ranges a thread: who is done early takes those of others. More of them where there is much to do, as each has its own start. */
const rangesPerReader = { least: 4, most: 16 }
const messagesPerRange = 16_384
/** Below this the start of a range costs more than what another thread could take off it. */
const leastMessagesPerRange = 1_024
/** A module that has not come back for so long keeps no log from closing. */
const patienceMs = 5_000

export interface Scan extends ScanRequest {
  readonly topic: TopicRef
}

/** Runs code of the application. */
export type ModuleTask = Extract<ReadTask, { op: 'scan' | 'reduce' }>

export interface ScanThreads {
  /** How many take part. */
  readonly readers: number
  /** @param signal ends the thread if it fires while the task runs */
  run(task: ModuleTask, signal: AbortSignal): Promise<unknown>
  /** About so many ranges that are all of the scan, in order. */
  cut(scan: Scan, parts: number): Promise<ScanRange[]>
}

export class SharedScans {
  readonly #threads: ScanThreads
  readonly #running = new Set<ScanRun>()
  /** Set once the log closes. */
  #closed: BookendError | undefined

  constructor(threads: ScanThreads) {
    this.#threads = threads
  }

  /** @throws the signal's reason; what the module throws; `BOOKEND_HANDLER`; what reading fails with; what {@link end} was told */
  run(scan: Scan): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const run = new ScanRun(scan, this.#threads)
    this.#running.add(run)
    void run.over.then(() => this.#running.delete(run))
    return run.result
  }

  /** Scans under way, and later ones, reject with `closed`. Resolves when no thread is at work on one any more. */
  async end(closed: BookendError): Promise<void> {
    this.#closed ??= closed
    for (const run of this.#running) run.end(closed)
    const timer = setTimeout(() => {
      for (const run of this.#running) run.endThreads()
    }, patienceMs)
    await Promise.all([...this.#running].map(({ over }) => over))
    clearTimeout(timer)
  }
}

class ScanRun {
  readonly result: Promise<unknown>
  /** Resolves when there is a result, or a failure, and no thread is at work on it any more. */
  readonly over: Promise<void>
  readonly #scan: Scan
  readonly #threads: ScanThreads
  /** Threads look at it between two batches. */
  readonly #word = new AbortWord()
  readonly #tasks: { readonly running: Promise<unknown>; readonly end: AbortController }[] = []
  #closed: BookendError | undefined

  constructor(scan: Scan, threads: ScanThreads) {
    this.#scan = scan
    this.#threads = threads
    this.result = this.#result()
    // One that fails does not wait for the threads that have not.
    this.over = this.result
      .catch(() => {})
      .then(() => Promise.allSettled(this.#tasks.map(({ running }) => running)))
      .then(() => {})
  }

  end(closed: BookendError): void {
    this.#closed ??= closed
    this.#word.raise()
  }

  endThreads(): void {
    for (const { end } of this.#tasks) end.abort()
  }

  async #result(): Promise<unknown> {
    const { signal } = this.#scan
    const onAbort = () => this.#word.raise()
    signal?.addEventListener('abort', onAbort)
    try {
      return await this.#steps()
    } catch (error) {
      // The other ranges need not go on.
      onAbort()
      // Its thread has not died, it was ended.
      throw this.#closed !== undefined && isThreadDeath(error) ? this.#closed : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async #steps(): Promise<unknown> {
    const { from, to, topic, module, filter, argument } = this.#scan
    const { readers, cut } = this.#threads
    const { least, most } = rangesPerReader
    const forAll = readers * Math.max(least, Math.min(most, (to - from) / messagesPerRange / readers))
    const wanted = Math.min(forAll, (to - from) / leastMessagesPerRange)
    // One range needs nobody who knows where to cut.
    const isOne = readers === 1 || wanted < 2
    const ranges = isOne ? [{ from, to, resume: undefined }] : await cut(this.#scan, wanted)
    this.#checkWanted()
    const claims = RangeClaims.allocate(ranges.length)
    const shares = Math.min(readers, ranges.length)
    const task = {
      op: 'scan',
      topic,
      ranges,
      claims,
      shares,
      module,
      abort: this.#word.shared,
      filter,
      argument,
    } as const
    const partial = await Promise.all(Array.from({ length: shares }, () => this.#run(task) as Promise<ScanPart[]>))
    this.#checkWanted()
    const parts = partial.flat().sort((a, b) => a.first - b.first)
    if (parts.length === 1) return parts[0].value
    return this.#run({ op: 'reduce', module, parts: parts.map(({ value }) => value) })
  }

  #run(task: ModuleTask): Promise<unknown> {
    // One for each: signals warn where many listen to the same.
    const end = new AbortController()
    const running = this.#threads.run(task, end.signal)
    this.#tasks.push({ running, end })
    return running
  }

  /** What threads came to that were told to end is not the whole. */
  #checkWanted(): void {
    this.#scan.signal?.throwIfAborted()
    if (this.#closed !== undefined) throw this.#closed
  }
}
