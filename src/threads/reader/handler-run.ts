/**
 * Running a process module over a range of offsets, inside a thread of its pool.
 *
 * Messages are read in chunks and handed over in batches, one call after the other. Where a call fails, its messages are handled
 * one by one until the one is found that fails alone; what to do about that one is the dispatcher's business. What the thread is
 * doing is told in shared words before it is done, so that a death in the middle of it can be understood.
 */
import { threadId } from 'node:worker_threads'
import { OffsetRanges } from '../../collections/offset-ranges.js'
import type { HandlerContext } from '../../engine/handler.js'
import { BookendError } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { HeaderMatcher } from '../../messages/header-matcher.js'
import { laneOf } from '../../messages/lanes.js'
import { ChunkRecords, type MessageBatch } from '../../messages/message-batch.js'
import { failedBefore } from '../../messages/retried.js'
import { HandlerWords, handlerPhase } from '../../ring/handler-words.js'
import type { Resume } from '../../storage/read/chunk.js'
import type { CallAppends, HandledMessages, HandlerMeans } from './handler.js'
import { type LoadedHandler, loadHandler } from './handler-module.js'
import { appendResults, progressIn, progressWithoutResults } from './handler-results.js'
import type { HandlerAnswer, HandlerChunk, HandlerTask, ReadChunk, TaskEnd } from './handler-task.js'
import { StopSignal } from './stop-signal.js'
import { portable } from './thrown.js'

/** A task comes back between two calls once it has worked this long on end: acknowledgements wait for no more than this. */
const sliceMs = 50
/**
 * A task waits this long at the end of its range for more: a range that grows costs a wake-up, a new task three times that, and a
 * turn of the application's event loop in between. What was done is acknowledged when the task ends, so it is not longer than a slice.
 */
const lingerMs = 50

export class HandlerTasks {
  readonly #read: ReadChunk
  readonly #modules = new Map<string, LoadedHandler>()
  readonly #means: HandlerMeans
  readonly #nowMs: () => number

  /** @param nowMs a clock that never goes back: how long a task has worked */
  constructor(read: ReadChunk, means: HandlerMeans, nowMs = () => performance.now()) {
    this.#read = read
    this.#means = means
    this.#nowMs = nowMs
  }

  /** @throws `BOOKEND_HANDLER` if the module does not load */
  async run(task: HandlerTask): Promise<HandlerAnswer> {
    const words = HandlerWords.of(task.words)
    let handler = this.#modules.get(task.module)
    words.begin(threadId, handler === undefined ? handlerPhase.loading : handlerPhase.reading)
    if (handler === undefined) {
      handler = await loadHandler(task.module, task.codec)
      this.#modules.set(task.module, handler)
      words.begin(threadId, handlerPhase.reading)
    }
    const run = new TaskRun(this.#read, handler, task, words, this.#means, this.#nowMs)
    const end = await run.untilEnd()
    words.end(run.done)
    const { done, resume, busyMs } = run
    return { done, aloneTo: words.aloneTo, handled: words.handled, failed: words.failed, busyMs, resume, end }
  }
}

/** For now: where there is more to do it goes on. */
const paused: TaskEnd = { kind: 'paused' }

class TaskRun {
  readonly #read: ReadChunk
  readonly #handler: LoadedHandler
  readonly #task: HandlerTask
  readonly #words: HandlerWords
  readonly #signal: StopSignal
  readonly #nowMs: () => number
  /** When it began to work, for the first time or after a wait. */
  #startMs: number
  #busyMs = 0
  #calls = 0
  done: number
  resume: Resume | undefined
  readonly #means: HandlerMeans

  constructor(
    read: ReadChunk,
    handler: LoadedHandler,
    task: HandlerTask,
    words: HandlerWords,
    means: HandlerMeans,
    nowMs: () => number,
  ) {
    this.#nowMs = nowMs
    this.#startMs = nowMs()
    this.#read = read
    this.#means = means
    this.#handler = handler
    this.#task = task
    this.#words = words
    this.#signal = new StopSignal(words)
    this.done = task.from
    this.resume = task.resume
  }

  get busyMs(): number {
    return this.#busyMs + this.#nowMs() - this.#startMs
  }

  async untilEnd(): Promise<TaskEnd> {
    for (;;) {
      const end = await this.#workThroughRange()
      if (end !== paused || !(await this.#hasMore())) return end
    }
  }

  async #workThroughRange(): Promise<TaskEnd> {
    const { topic } = this.#task
    const isWanted = wanted(this.#task)
    for (let to = this.#words.rangeEnd; this.done < to && !this.#isOver(); to = this.#words.rangeEnd) {
      let chunk: HandlerChunk
      try {
        chunk = this.#read(topic, { topic: topic.id, offset: this.done, to, resume: this.resume }, this.#task)
      } catch (error) {
        return { kind: 'unreadable', to, error: portable(error) }
      }
      // Held until the last call over it has settled, however that ends: with mapped views the segment is pinned so long.
      try {
        const source = { topic: topic.name, decode: this.#handler.decode }
        const { bytes, next, to = next, isSparse } = chunk
        const records = new ChunkRecords(source, topic.id, bytes, this.done, to, isWanted, isSparse)
        const end = await this.#handle(records, records.end)
        // Ended inside the chunk: whoever goes on there has to read it again, from where this one began.
        if (end !== undefined) return end
        if (records.failure !== undefined) {
          this.done = records.end
          return { kind: 'unreadable', to, error: portable(records.failure) }
        }
      } finally {
        chunk.release()
      }
      this.done = chunk.next
      this.resume = chunk.resume
    }
    return paused
  }

  /** Hands the records over. Undefined: all are handled, so everything below `chunkEnd` is done. */
  async #handle(records: ChunkRecords, chunkEnd: number): Promise<TaskEnd | undefined> {
    const { attempt, firstAttempt, from } = this.#task
    for (let index = 0; index < records.length; ) {
      const first = records.offset(index)
      // Nothing of this task is between what is done and the next message.
      this.done = first
      if (this.#isOver()) return paused
      const isRepeated = firstAttempt > 0 && first === from
      const isLeft = first < this.#words.aloneTo
      const before = this.#failedBefore(records, index)
      const isAlone = isRepeated || isLeft || before > 0
      const next = isAlone ? index + 1 : this.#batchEnd(records, index)
      const end = records.offset(next - 1) + 1
      const ordinal = isRepeated ? firstAttempt : before + (isLeft ? attempt + 1 : attempt)
      this.#words.beginCall(first, end, next - index, ordinal)
      this.#calls += 1
      const appends = this.#means.beginAppends()
      let isHandled = false
      try {
        const batch = records.batch(index, next)
        let result = this.#handler.handle(batch, this.#context(ordinal, appends, batch))
        if (isThenable(result)) result = await result
        isHandled = true
        if (this.#task.results !== undefined) appendResults(this.#task.results, batch, ordinal, result, appends)
        appends.end()
        // Before the messages count as done: whoever sees that they are finds what has come of them.
        if (appends.count > 0 && !(await appends.write(this.#handled(records, index, next)))) {
          // Each for itself: not all of them need be others'. One that is has nothing more to do here.
          if (isAlone) this.#words.passCall(end)
          else this.#words.splitCall(end)
          index = isAlone ? next : index
          continue
        }
      } catch (error) {
        appends.end()
        // A full disk is nobody's fault, and passes.
        if (isHandled && hasNoRoom(error)) {
          this.#words.failCall(this.#words.aloneTo)
          return { kind: 'unwritten', error: portable(error) }
        }
        // It was asked to end, and has not done its work: that is no attempt.
        if (this.#words.isStopAsked) {
          this.#words.passCall(first)
          return paused
        }
        this.#words.failCall(Math.max(end, this.#words.aloneTo))
        if (next - index === 1) return { kind: 'failed', attempt: ordinal, error: portable(error) }
        if (this.#task.isPaced) return { kind: 'paused' }
        continue
      }
      index = next
      this.done = index < records.length ? records.offset(index) : chunkEnd
      this.#words.endCall(this.done)
    }
    return undefined
  }

  /** Attempts before it came here, of which the books know nothing. */
  #failedBefore(records: ChunkRecords, index: number): number {
    return this.#task.countsRetries ? failedBefore(records.place(index)) : 0
  }

  /** Those that have failed before are handled alone. */
  #batchEnd(records: ChunkRecords, index: number): number {
    const { batchSize, countsRetries } = this.#task
    const end = Math.min(index + batchSize, records.length)
    if (countsRetries)
      for (let next = index + 1; next < end; next++) if (this.#failedBefore(records, next) > 0) return next
    return end
  }

  /** The messages of a call, by the books. */
  #handled(records: ChunkRecords, index: number, next: number): HandledMessages {
    const { topic, group, generation } = this.#task
    const ranges = new OffsetRanges()
    for (let at = index; at < next; at++) ranges.add(records.offset(at), records.offset(at) + 1)
    return { topic: topic.name, group, generation, ranges: ranges.list }
  }

  /** At the end of the range: waits for it to grow, but not for long. False: the task is over. */
  async #hasMore(): Promise<boolean> {
    if (this.done < this.#words.rangeEnd) return !this.#isOver()
    this.#busyMs = this.busyMs
    const isMore = await this.#words.untilMore(this.done, lingerMs)
    this.#startMs = this.#nowMs()
    return isMore
  }

  /** Every task makes some progress, however slow the handler is. */
  #isOver(): boolean {
    return this.#words.isStopAsked || (this.#calls > 0 && this.#nowMs() - this.#startMs > sliceMs)
  }

  #context(attempt: number, appends: CallAppends, batch: MessageBatch<unknown>): HandlerContext {
    const { group, topic, results } = this.#task
    const { append, schedule } = appends
    const signal = this.#signal
    return {
      group,
      topic: topic.name,
      attempt,
      data: this.#means.data,
      append,
      schedule,
      progress: results === undefined ? progressWithoutResults : progressIn(results, batch, attempt, appends),
      get signal() {
        return signal.get()
      },
    }
  }
}

/** Undefined: all messages of the range. */
function wanted({ lane, lanes, filter }: HandlerTask): ((record: RecordPlace) => boolean) | undefined {
  const isOfLane = lanes === 1 ? undefined : (record: RecordPlace) => laneOf(record, lanes) === lane
  if (filter === undefined) return isOfLane
  const matcher = new HeaderMatcher(filter)
  return (record) => (isOfLane?.(record) ?? true) && matcher.matches(record)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function hasNoRoom(error: unknown): boolean {
  return error instanceof BookendError && error.code === 'BOOKEND_NO_SPACE'
}
