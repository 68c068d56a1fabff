/**
 * A number up to 2^53 in shared memory: one thread stores, any thread loads, nobody waits on it.
 *
 * ```
 *   word   the number's upper 21 bits, and above them a count of their changes
 *   lows   two words for the lower 32 bits: the last bit of the count says which of them is valid
 * ```
 *
 * While the upper bits stay, a store is one store, to the valid low word. When they change, once in 4 GiB, the other low word is
 * filled first and then the upper word stored, which makes both valid at once. So whatever moment the storing thread dies in, there is a
 * whole number; and a loader looks again only where the upper word has changed under it. The count keeps a number that goes to and fro
 * across such a place from looking unchanged.
 */
import type { Loadable } from './word.js'

const highBits = 21
const highMask = (1 << highBits) - 1
const oneChange = 1 << highBits

export const positionCellWords = 3

export class PositionCell implements Loadable {
  readonly #words: Int32Array
  readonly #index: number
  /** The upper word as it stands there, with its count of changes. */
  #ownWord = 0
  #ownHigh = 0
  /** Index of the valid low word. */
  #low = 0

  constructor(words: Int32Array, index: number) {
    this.#words = words
    this.#index = index
    this.takeOver()
  }

  /** To be called before a store where another thread may have stored since this one did. It does not any more. */
  takeOver(): void {
    this.#ownWord = Atomics.load(this.#words, this.#index)
    this.#ownHigh = this.#ownWord & highMask
    this.#low = lowOf(this.#index, this.#ownWord)
  }

  /** Called by the one owning thread only. Everything it wrote before is visible to whoever loads this value. */
  store(value: number): void {
    const high = Math.floor(value / 2 ** 32)
    if (high === this.#ownHigh) {
      Atomics.store(this.#words, this.#low, value | 0)
      return
    }
    const word = ((this.#ownWord & ~highMask) + oneChange) | high
    const low = lowOf(this.#index, word)
    // The low word first: the upper one makes it valid.
    Atomics.store(this.#words, low, value | 0)
    Atomics.store(this.#words, this.#index, word)
    this.#ownWord = word
    this.#ownHigh = high
    this.#low = low
  }

  load(): number {
    for (;;) {
      const word = Atomics.load(this.#words, this.#index)
      const low = Atomics.load(this.#words, lowOf(this.#index, word))
      if (word === Atomics.load(this.#words, this.#index)) return (low >>> 0) + (word & highMask) * 2 ** 32
    }
  }
}

function lowOf(index: number, word: number): number {
  return index + 1 + ((word >>> highBits) & 1)
}
