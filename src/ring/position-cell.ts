/**
 * A number up to 2^53 in shared memory: one thread stores, any thread loads, nobody waits on it.
 *
 * Two 32-bit words. The high word changes once in 4 GiB; around that change its sign bit is set, so a loader that
 * sees the bit, or two different high words around the low one, looks again. All other stores touch the low word only.
 * Between the number's 21 bits and the mark the high word counts its changes: a number that goes to and fro across such a place
 * does not look unchanged.
 */
const changing = 0x80000000 | 0
const highBits = 21
const highMask = (1 << highBits) - 1
const oneChange = 1 << highBits

export const positionCellWords = 2

export class PositionCell {
  readonly #words: Int32Array
  readonly #low: number
  readonly #high: number
  /** The high word as it stands there, with its count of changes. */
  #ownWord: number
  #ownHigh: number

  constructor(words: Int32Array, index: number) {
    this.#words = words
    this.#low = index
    this.#high = index + 1
    this.#ownWord = Atomics.load(words, index + 1) & ~changing
    this.#ownHigh = this.#ownWord & highMask
  }

  /** Called by the one owning thread only. Everything it wrote before is visible to whoever loads this value. */
  store(value: number): void {
    const high = Math.floor(value / 2 ** 32)
    if (high === this.#ownHigh) {
      Atomics.store(this.#words, this.#low, value | 0)
      return
    }
    const word = ((((this.#ownWord & ~highMask) + oneChange) & ~changing) | high) >>> 0
    // The mark comes before the low word, the clean high word after it: no loader can join old and new halves.
    Atomics.store(this.#words, this.#high, word | changing)
    Atomics.store(this.#words, this.#low, value | 0)
    Atomics.store(this.#words, this.#high, word)
    this.#ownWord = word
    this.#ownHigh = high
  }

  load(): number {
    for (;;) {
      const high = Atomics.load(this.#words, this.#high)
      const low = Atomics.load(this.#words, this.#low)
      if (high >= 0 && high === Atomics.load(this.#words, this.#high)) return (low >>> 0) + (high & highMask) * 2 ** 32
    }
  }
}
