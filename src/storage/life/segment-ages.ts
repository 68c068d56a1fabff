/**
 * From when on the age of a sealed segment counts, for retention by age.
 *
 * From the time of its newest message, where that has been. Times of messages never decrease, so a clock that was ahead once gives all
 * messages after it the time of that moment, until the clock has come as far: for years, perhaps. A time that lies in the future says
 * nothing about an age. What does is a later segment that was made when this one was full, and that bears a time that has been: the clock
 * was right again by then. And where there is none, because nothing was appended since: the moment that was noticed.
 */
import { preparedSegments } from '../../limits.js'
import type { SegmentFiles } from '../files/segment-files.js'

export class SegmentAges {
  readonly #files: SegmentFiles
  /** For which segment the next ones were last looked at, and the first of them that bore no time in the future. */
  #seen = { segment: 0, next: 0 }
  /** The segments below were full at this moment, which had been noticed when one of them had no other. */
  #noticed = { below: 0, at: 0 }

  constructor(files: SegmentFiles) {
    this.#files = files
  }

  /**
   * For the oldest segment, over and over, and then for the next: so what it costs is a look at each file once.
   * @param lastTime of its messages
   * @param active the segment that is being filled, with some that are prepared behind it
   * @returns ms since the epoch, not after `now`
   */
  since(segment: number, lastTime: number, now: number, active: number): number {
    if (lastTime <= now) return lastTime
    const made = this.#madeAfter(segment, now, active)
    const isNoticed = segment < this.#noticed.below && this.#noticed.at <= now
    if (isNoticed) return Math.min(this.#noticed.at, made ?? now)
    if (made !== undefined) return made
    this.#noticed = { below: active, at: now }
    return now
  }

  /** When the first segment was made that was made behind the end of this one, and when one can believe it. */
  #madeAfter(segment: number, now: number, active: number): number | undefined {
    // No more than these are made ahead of the one that is being filled, so the next was made when this one was full.
    const first = segment + preparedSegments + 1
    const isFurther = segment >= this.#seen.segment
    this.#seen = { segment, next: isFurther ? Math.max(first, this.#seen.next) : first }
    for (; this.#seen.next <= active + preparedSegments; this.#seen.next++) {
      const created = this.#files.createdAt(this.#seen.next)
      if (created !== undefined && created <= now) return created
      // It is still to be made.
      if (created === undefined && this.#seen.next > active) return undefined
    }
    return undefined
  }
}
