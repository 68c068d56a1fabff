/** When the batches of a segment were written, as a walk meets them, and which records of a topic were the first at a time. */
import { maxTimeSpan, type SortedTimes } from '../../format/side-index-layout.js'
import type { TopicEntries } from '../index/topic-entries.js'
import { GrowingRows } from './growing-rows.js'

export class TimeRows {
  /** Those whose time is another than that of the batch before; ascending. */
  readonly #batches: number[] = []
  readonly #times: number[] = []

  /** @param batch its place in the segment, behind those that were added */
  add(batch: number, time: number): void {
    if (this.#times.at(-1) === time) return
    this.#batches.push(batch)
    this.#times.push(time)
  }

  /**
   * A row for the first record of each time. Undefined: they are not in order, which they are in whatever we have written.
   * @param entries of which none is lost
   */
  of(entries: TopicEntries): SortedTimes | undefined {
    const { topic, firstOffset, count: records } = entries
    const rows = new GrowingRows()
    let firstTime = 0
    let last = -1
    let run = 0
    for (let ordinal = 0, before = 0; ordinal < records; ordinal++) {
      const batch = entries.batchOf(ordinal)
      if (batch === before) continue
      if (batch < before) return undefined
      before = batch
      while (run + 1 < this.#batches.length && this.#batches[run + 1] <= batch) run += 1
      const time = this.#times[run]
      if (ordinal === 0) firstTime = time
      const delay = Math.min(maxTimeSpan, time - firstTime)
      if (delay < last) return undefined
      if (delay > last) rows.add(delay, ordinal)
      last = delay
    }
    return { topic, firstOffset, records, firstTime, rowWords: rows.words }
  }
}
