/**
 * Which ranges of a scan are taken: one word each, in memory that the readers share, so that nobody has to ask for the next one.
 * Everybody begins at a share of its own, the same in every scan, and goes round from there: what a thread has verified before it meets
 * again, and who is done early helps the others.
 */
export class RangeClaims {
  readonly #words: Int32Array

  static allocate(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT)
  }

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
  }

  /**
   * Subscripts of ranges that are the caller's from the moment it gets them.
   * @param share of `shares`, from 0
   */
  *take(share: number, shares: number): Generator<number> {
    const count = this.#words.length
    const start = Math.floor((count * share) / shares)
    for (let step = 0; step < count; step++) {
      const index = (start + step) % count
      if (Atomics.compareExchange(this.#words, index, 0, 1) === 0) yield index
    }
  }
}
