/**
 * One task after the other in the handler threads, each ending in an outcome: a thread that dies, or that a call does not come
 * back from, is a failed attempt like one that throws.
 */
import { BookendError, fromPortable, isThreadDeath } from '../../errors.js'
import { type HandlerWords, handlerPhase } from '../../ring/handler-words.js'
import type { HandlerAnswer, HandlerTask } from '../../threads/reader/handler-task.js'
import type { ReadTask } from '../../threads/reader/reader.js'

/** What a processor needs of its threads. */
export interface HandlerThreads {
  run(task: ReadTask, signal: AbortSignal): Promise<unknown>
  /** Resolves when the thread has ended. */
  ended(threadId: number): Promise<void>
  close(): Promise<void>
}

/** What became of a task: what its thread has answered, or what is known of a thread that gave no answer. */
export type Outcome = Omit<HandlerAnswer, 'end'> & { end: OutcomeEnd }

export type OutcomeEnd =
  | { kind: 'paused' }
  /** There was no room for what the call for the message at `done` had appended. */
  | { kind: 'unwritten'; error: Error }
  /** The message at `done` failed alone. */
  | { kind: 'failed'; attempt: number; error: Error }
  /** The message at `done` cannot be read; if the error knows of none behind it that can, there was none before `to`. */
  | { kind: 'unreadable'; to: number; error: Error }
  /** The thread died while no message was in hand. */
  | { kind: 'lost'; error: Error }

export type RunnerTask = Omit<HandlerTask, 'words'>

export class HandlerRunner {
  readonly #threads: HandlerThreads
  readonly #timeoutMs: number
  readonly #running = new Set<HandlerWords>()
  #isStopping = false

  constructor(threads: HandlerThreads, timeoutMs: number) {
    this.#threads = threads
    this.#timeoutMs = timeoutMs
  }

  /** Tasks under way come back after the call they are in; later ones at once. */
  stop(): void {
    this.#isStopping = true
    for (const words of this.#running) words.askStop()
  }

  /** Takes {@link stop} back, for later tasks. */
  resume(): void {
    this.#isStopping = false
  }

  /**
   * @param words new ones, which say how far the task goes
   * @throws `BOOKEND_HANDLER` if the module does not load
   */
  async run(task: RunnerTask, words: HandlerWords): Promise<Outcome> {
    if (this.#isStopping) words.askStop()
    this.#running.add(words)
    const abort = new AbortController()
    const startMs = performance.now()
    const watch = new CallWatch(words, this.#timeoutMs, () => abort.abort())
    try {
      const answer = await this.#threads.run({ op: 'process', ...task, words: words.shared }, abort.signal)
      return outcomeOf(answer as HandlerAnswer)
    } catch (error) {
      // Also takes it out of the queue, if no thread ever got it.
      abort.abort()
      if (!isThreadDeath(error)) throw error
      // What the thread was told to do is over only when it has ended: nobody else may begin with it before.
      if (words.threadId > 0) await this.#threads.ended(words.threadId)
      // What it posted before has come by then, and is judged by the books.
      await new Promise(setImmediate)
      const cause = watch.isLate ? this.#lateError() : deathError(error)
      return this.#outcomeOfDeath(words, cause, task.module, performance.now() - startMs)
    } finally {
      watch.end()
      this.#running.delete(words)
    }
  }

  #outcomeOfDeath(words: HandlerWords, error: BookendError, module: string, busyMs: number): Outcome {
    const { progress: done, aloneTo, handled, failed, phase } = words
    if (phase === handlerPhase.loading) {
      const message = `the module ${module} does not load: ${error.message}`
      throw new BookendError('BOOKEND_HANDLER', message, { cause: error })
    }
    const known = { done, aloneTo, handled, busyMs, resume: undefined }
    if (phase !== handlerPhase.calling) return { ...known, failed, end: { kind: 'lost', error } }
    if (words.callCount === 1) {
      return { ...known, failed: failed + 1, end: { kind: 'failed', attempt: words.attempt, error } }
    }
    // Which of them it was, will be seen when they are handled one by one.
    return { ...known, aloneTo: words.callEnd, failed: failed + 1, end: { kind: 'paused' } }
  }

  #lateError(): BookendError {
    const message = `the handler had not come back after ${this.#timeoutMs} ms (timeoutMs), so its thread was ended`
    return new BookendError('BOOKEND_WORKER', message)
  }
}

function outcomeOf({ end, ...answer }: HandlerAnswer): Outcome {
  return { ...answer, end: end.kind === 'paused' ? end : { ...end, error: fromPortable(end.error) } }
}

function deathError(error: BookendError): BookendError {
  const { cause } = error
  const how = cause instanceof Error ? `${cause.name}: ${cause.message}` : error.message
  return new BookendError('BOOKEND_WORKER', `the handler ended its thread (${how})`, { cause })
}

/** Sees to it that no call of the handler lasts longer than it may. */
class CallWatch {
  readonly #words: HandlerWords
  readonly #timeoutMs: number
  readonly #onLate: () => void
  #timer: NodeJS.Timeout
  isLate = false

  constructor(words: HandlerWords, timeoutMs: number, onLate: () => void) {
    this.#words = words
    this.#timeoutMs = timeoutMs
    this.#onLate = onLate
    this.#timer = setTimeout(this.#look, timeoutMs)
  }

  readonly #look = (): void => {
    const { phase, phaseMs } = this.#words
    const isWatched = phase === handlerPhase.calling || phase === handlerPhase.loading
    if (isWatched && phaseMs >= this.#timeoutMs) {
      this.isLate = true
      this.#onLate()
      return
    }
    this.#timer = setTimeout(this.#look, isWatched ? this.#timeoutMs - phaseMs : this.#timeoutMs)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
