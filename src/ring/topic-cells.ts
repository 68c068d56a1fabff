/**
 * What every thread may know of a topic: the next offset to be published and the first that can be read.
 * A row of two position cells per topic id. The writer stores both after it has published the position that makes them
 * true, so that what they promise can be read; untouched rows cost no memory. Two words more say how far back the topic's ids are remembered: whoever
 * appends under one raises them, before that.
 */
import type { IdSpan } from '../engine/terms.js'
import { maxTopics } from '../limits.js'
import { PositionCell, positionCellWords } from './position-cell.js'
import { allocateUntouched } from './untouched-memory.js'

/** Two cells and two words, and a row never lies across two lines of the processor's cache. */
const rowWords = 8
const idWindowAt = 2 * positionCellWords
const maxIdsAt = idWindowAt + 1

export class TopicCells {
  readonly #words: Int32Array
  readonly #rows: { next: PositionCell; first: PositionCell }[] = []

  static allocate(): SharedArrayBuffer {
    return allocateUntouched(maxTopics * rowWords * Int32Array.BYTES_PER_ELEMENT)
  }

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
  }

  /** Offset of the topic's next record: all below are published. */
  next(topic: number): PositionCell {
    return this.#row(topic).next
  }

  /** First offset that a trim has left readable. */
  first(topic: number): PositionCell {
    return this.#row(topic).first
  }

  /** It is at least that from now on. Before what counts on it is handed over. */
  raiseIdSpan(topic: number, { windowMs, max }: IdSpan): void {
    this.#raise(topic * rowWords + idWindowAt, windowMs)
    this.#raise(topic * rowWords + maxIdsAt, max)
  }

  /** The most that anybody has asked for since the log was opened; 0: nobody has. */
  idWindowMs(topic: number): number {
    return Atomics.load(this.#words, topic * rowWords + idWindowAt)
  }

  maxIds(topic: number): number {
    return Atomics.load(this.#words, topic * rowWords + maxIdsAt)
  }

  #raise(at: number, value: number): void {
    let known = Atomics.load(this.#words, at)
    while (known < value) {
      const found = Atomics.compareExchange(this.#words, at, known, value)
      if (found === known) return
      known = found
    }
  }

  #row(topic: number): { next: PositionCell; first: PositionCell } {
    let row = this.#rows[topic]
    if (row === undefined) {
      const at = topic * rowWords
      row = { next: new PositionCell(this.#words, at), first: new PositionCell(this.#words, at + positionCellWords) }
      this.#rows[topic] = row
    }
    return row
  }
}
