/**
 * What every thread may know of a topic: the next offset to be published and the first that can be read.
 * A row of two position cells per topic id. The writer stores both after it has published the position that makes them
 * true, so that what they promise can be read; untouched rows cost no memory.
 */
import { maxTopics } from '../limits.js'
import { PositionCell, positionCellWords } from './position-cell.js'
import { allocateUntouched } from './untouched-memory.js'

/** Two cells, and a row never lies across two lines of the processor's cache. */
const rowWords = 8

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
