/**
 * What the dispatcher and the thread that runs a handler tell each other during one task. Each task has words of its own, so
 * what a thread that was ended still stores is seen by nobody.
 *
 * A task at the end of its range sleeps on `bell` for a while: the range may grow. No wake-up is lost: the thread loads the bell first,
 * looks at `end`, `closed` and `stop` after that, and sleeps only on the value it has loaded; the dispatcher stores first and rings after.
 *
 * | word | written by | says |
 * | --- | --- | --- |
 * | stop | dispatcher | come back after this call |
 * | end | dispatcher | the range of the task, exclusive: everything below is published. It only grows |
 * | closed | dispatcher | the range grows no more |
 * | bell | both | rung after each of these was stored; by the thread itself when it has slept long enough |
 * | phase, sinceMs | handler thread | what it is doing, and since when |
 * | threadId | handler thread | who it is |
 * | progress | handler thread | everything of the task below this offset is done |
 * | callSpan, callCount, attempt | handler thread | the call under way: offsets from `progress`, messages, which attempt |
 * | aloneTo | handler thread | messages below are handled one by one, as a call with them has failed |
 * | handled, failed | handler thread | messages handled, calls failed |
 *
 * Whatever describes a call is stored before the phase that announces it. So if the thread dies, these words tell which messages
 * it had in hand.
 */
import { PositionCell } from './position-cell.js'
import { sharedClockMs } from './shared-clock.js'

const word = {
  stop: 0,
  phase: 1,
  sinceMs: 2,
  threadId: 3,
  callSpan: 4,
  callCount: 5,
  attempt: 6,
  handled: 7,
  failed: 8,
  closed: 9,
  bell: 10,
  // Positions take three each.
  progress: 11,
  aloneTo: 14,
  end: 17,
} as const
const wordCount = 20

/** `idle`: not begun, or over. `reading`: between two calls. */
export const handlerPhase = { idle: 0, reading: 1, loading: 2, calling: 3 } as const

export class HandlerWords {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #progress: PositionCell
  readonly #aloneTo: PositionCell
  readonly #end: PositionCell

  private constructor(shared: SharedArrayBuffer) {
    this.shared = shared
    this.#words = new Int32Array(shared)
    this.#progress = new PositionCell(this.#words, word.progress)
    this.#aloneTo = new PositionCell(this.#words, word.aloneTo)
    this.#end = new PositionCell(this.#words, word.end)
  }

  /** Dispatcher: words of a new task. @param isOpen its range may grow */
  static allocate(from: number, end: number, aloneTo: number, isOpen: boolean): HandlerWords {
    const words = new HandlerWords(new SharedArrayBuffer(wordCount * Int32Array.BYTES_PER_ELEMENT))
    words.#progress.store(from)
    words.#end.store(end)
    words.#aloneTo.store(aloneTo)
    if (!isOpen) words.close()
    return words
  }

  /** Handler thread: the words that came with the task. */
  static of(shared: SharedArrayBuffer): HandlerWords {
    return new HandlerWords(shared)
  }

  /** Dispatcher. */
  askStop(): void {
    Atomics.store(this.#words, word.stop, 1)
    Atomics.notify(this.#words, word.stop)
    this.ring()
  }

  /** Dispatcher: there is more to do. */
  extend(end: number): void {
    this.#end.store(end)
    this.ring()
  }

  /** Dispatcher: the range grows no more, so the task ends with it. */
  close(): void {
    Atomics.store(this.#words, word.closed, 1)
    this.ring()
  }

  /** Wakes the task if it sleeps at the end of its range. */
  ring(): void {
    Atomics.add(this.#words, word.bell, 1)
    Atomics.notify(this.#words, word.bell)
  }

  /**
   * Handler thread, when everything below `done` is done and the range ends there: resolves once it has grown (true), or when it
   * does not within `patienceMs`, or will not (false). The thread's event loop goes on turning.
   */
  async untilMore(done: number, patienceMs: number): Promise<boolean> {
    this.#progress.store(done)
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.ring()
    }, patienceMs)
    try {
      for (;;) {
        // The bell before the look: whatever is stored after the look rings a bell that has this value, so that nobody sleeps on it.
        const token = Atomics.load(this.#words, word.bell)
        if (this.rangeEnd > done) return true
        if (isLate || this.isClosed || this.isStopAsked) return false
        const waiting = Atomics.waitAsync(this.#words, word.bell, token)
        if (waiting.async) await waiting.value
      }
    } finally {
      clearTimeout(timer)
    }
  }

  get rangeEnd(): number {
    return this.#end.load()
  }

  get isClosed(): boolean {
    return Atomics.load(this.#words, word.closed) !== 0
  }

  get isStopAsked(): boolean {
    return Atomics.load(this.#words, word.stop) !== 0
  }

  /** Handler thread: calls back once when a stop is asked for, unless {@link end} comes first. */
  onStopAsked(callback: () => void): void {
    const waiting = Atomics.waitAsync(this.#words, word.stop, 0)
    if (waiting.async)
      void waiting.value.then(() => {
        if (this.isStopAsked) callback()
      })
    else callback()
  }

  begin(threadId: number, phase: typeof handlerPhase.loading | typeof handlerPhase.reading): void {
    Atomics.store(this.#words, word.threadId, threadId)
    this.#enter(phase)
  }

  /** The handler is about to be called for messages from `first` to below `end`. */
  beginCall(first: number, end: number, count: number, attempt: number): void {
    this.#progress.store(first)
    Atomics.store(this.#words, word.callSpan, end - first)
    Atomics.store(this.#words, word.callCount, count)
    Atomics.store(this.#words, word.attempt, attempt)
    this.#enter(handlerPhase.calling)
  }

  /** The call went well: everything below `progress` is done. */
  endCall(progress: number): void {
    Atomics.add(this.#words, word.handled, Atomics.load(this.#words, word.callCount))
    this.#progress.store(progress)
    this.#enter(handlerPhase.reading)
  }

  /** The call went well, and its messages were not ours: everything below `progress` is done. */
  passCall(progress: number): void {
    this.#progress.store(progress)
    this.#enter(handlerPhase.reading)
  }

  /** The call went well, and some of its messages were not ours. @param aloneTo all of them are to be handled one by one */
  splitCall(aloneTo: number): void {
    this.#aloneTo.store(aloneTo)
    this.#enter(handlerPhase.reading)
  }

  /** The call failed. @param aloneTo its messages are to be handled one by one */
  failCall(aloneTo: number): void {
    Atomics.add(this.#words, word.failed, 1)
    this.#aloneTo.store(aloneTo)
    this.#enter(handlerPhase.reading)
  }

  /** No more calls; everything below `progress` is done. */
  end(progress: number): void {
    this.#progress.store(progress)
    this.#enter(handlerPhase.idle)
    // Nobody waits for a stop of this task any more: wakes who waits, for nothing.
    Atomics.notify(this.#words, word.stop)
  }

  #enter(phase: number): void {
    Atomics.store(this.#words, word.sinceMs, sharedClockMs())
    Atomics.store(this.#words, word.phase, phase)
  }

  get phase(): number {
    return Atomics.load(this.#words, word.phase)
  }

  /** How long the phase has lasted. */
  get phaseMs(): number {
    return (sharedClockMs() - Atomics.load(this.#words, word.sinceMs)) | 0
  }

  /** 0 before the task has begun. */
  get threadId(): number {
    return Atomics.load(this.#words, word.threadId)
  }

  get progress(): number {
    return this.#progress.load()
  }

  get aloneTo(): number {
    return this.#aloneTo.load()
  }

  get callEnd(): number {
    return this.progress + Atomics.load(this.#words, word.callSpan)
  }

  get callCount(): number {
    return Atomics.load(this.#words, word.callCount)
  }

  get attempt(): number {
    return Atomics.load(this.#words, word.attempt)
  }

  get handled(): number {
    return Atomics.load(this.#words, word.handled)
  }

  get failed(): number {
    return Atomics.load(this.#words, word.failed)
  }
}
