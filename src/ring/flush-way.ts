/**
 * How a flush is asked for and answered: one protocol for messages and for commits of groups. What goes to the device goes a way, and has
 * four numbers on it. Each only grows, and between them holds, but for the moment between the stores of 1:
 *
 * ```
 *   flushed  <=  published  <=  handed over        wished  <=  handed over
 *   (reaper)     (writer)       (application)      (application)
 * ```
 *
 * | way | handed over | published | wished | flushed |
 * | --- | --- | --- | --- | --- |
 * | of a lane, in bytes of its ring | ringTail | ringHead | flushWished | flushedTo |
 * | of commits, by their numbers | commitRequest | commitDone | commitWished | commitFlushed |
 *
 * 1. Whoever waits for the device **stores the wish before the number that hands over** what it is about: so the writer, which looks at the
 *    wish after it has published, sees it, and rings the reaper. A lone append costs no other hop.
 * 2. The reaper flushes while something is wished for that is published. It **takes the published numbers first, then the position of the
 *    log** up to which it flushes (the writer stores them the other way round), then flushes, and answers with what it took: never with what
 *    was published meanwhile. Every flush answers, wished for or not.
 * 3. The answer is given when the data is on the device, and the segments that hold it are there for good.
 *
 * Who waits for messages that were handed over long ago hands over an empty frame behind them, and wishes for that. What is written by
 * other ways than these, as the record of a trim, is published before the call is answered that asked for it; whoever wishes after that
 * gets it flushed as well, since the position of the log is taken last.
 */
import type { PositionCell } from './position-cell.js'
import type { Loadable } from './word.js'

/** The reaper's end of a way. */
export class FlushWay {
  readonly #published: Loadable
  readonly #wished: Loadable
  readonly #flushed: PositionCell

  constructor(published: Loadable, wished: Loadable, flushed: PositionCell) {
    this.#published = published
    this.#wished = wished
    this.#flushed = flushed
  }

  /** Somebody waits for something that only has to be flushed. */
  get isAwaited(): boolean {
    const flushed = this.#flushed.load()
    return this.#wished.load() > flushed && this.#published.load() > flushed
  }

  /** There is something that is not flushed. */
  get isDirty(): boolean {
    return this.#published.load() > this.#flushed.load()
  }

  /** What the next flush answers. Before the position of the log is looked at, and before the flush. */
  published(): number {
    return this.#published.load()
  }

  /** Everything up to this number, which was {@link published} before the flush, is on the device. Answers may come in any order, one at a time. */
  answer(published: number): void {
    if (published <= this.#flushed.load()) return
    // The last one may have been another thread's: see turn-word.ts.
    this.#flushed.takeOver()
    this.#flushed.store(published)
  }
}
