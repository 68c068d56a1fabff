/**
 * What every thread may know of a topic: the next offset to be published and the first that can be read.
 * A row of two position cells per topic id. The writer stores both after it has published the position that makes them
 * true, so that what they promise can be read; untouched rows cost no memory. Where those of several topics come to be together, as by a transaction, a
 * count is odd from the first store to the last, and who looks at a topic meanwhile waits: having seen one of them he finds the others. Two words more say how far back the topic's ids are remembered: whoever
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

/** To store a thousand cells takes some ten microseconds, unless the thread loses its core; one that has died in between never goes on. */
const looksAwake = 200
const looksAsleep = 100
const asleepMs = 0.1

/** `Atomics.wait`. */
type Wait = (words: Int32Array, index: number, value: number, ms: number) => unknown

export class TopicCells {
  readonly #words: Int32Array
  readonly #rows: { next: PositionCell; first: PositionCell }[] = []
  /** Index of the count, behind all rows. */
  readonly #togetherAt: number
  readonly #wait: Wait
  /** The count that was waited for in vain. */
  #abandoned = 0

  static allocate(): SharedArrayBuffer {
    return allocateUntouched(maxTopics * rowWords * Int32Array.BYTES_PER_ELEMENT)
  }

  constructor(shared: SharedArrayBuffer, wait: Wait = Atomics.wait) {
    this.#words = new Int32Array(shared)
    this.#togetherAt = this.#words.length - 1
    this.#wait = wait
  }

  /** Stores cells of several topics, so that no other thread sees a part of it. One thread at a time. */
  storeTogether(store: () => void): void {
    Atomics.add(this.#words, this.#togetherAt, 1)
    store()
    Atomics.add(this.#words, this.#togetherAt, 1)
  }

  /** For who does not store: {@link next}, together with what was published with it. */
  nextOf(topic: number): number {
    this.#awaitTogether()
    return this.next(topic).load()
  }

  /** The same of {@link first}. */
  firstOf(topic: number): number {
    this.#awaitTogether()
    return this.first(topic).load()
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

  /** In front of the look: what is stored behind this is of a later time, whose end the next look waits for. */
  #awaitTogether(): void {
    const count = Atomics.load(this.#words, this.#togetherAt)
    if ((count & 1) === 0 || count === this.#abandoned) return
    for (let look = 0; look < looksAwake + looksAsleep; look++) {
      if (look >= looksAwake) this.#wait(this.#words, this.#togetherAt, count, asleepMs)
      if (Atomics.load(this.#words, this.#togetherAt) !== count) return
    }
    this.#abandoned = count
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
