/** A set of lanes in shared memory, a bit each: many threads add to it, and who works through it need not look at every lane. */

const bitsInWord = 32
const wordIndex = (lane: number) => lane >>> 5
const bitOf = (lane: number) => 1 << (lane & 31)

export class LaneBits {
  readonly #words: Int32Array
  readonly #index: number
  readonly #wordCount: number

  constructor(words: Int32Array, index: number, lanes: number) {
    this.#words = words
    this.#index = index
    this.#wordCount = lanes / bitsInWord
  }

  /** Costs a load where the lane is in the set. */
  add(lane: number): void {
    const index = this.#index + wordIndex(lane)
    if ((Atomics.load(this.#words, index) & bitOf(lane)) === 0) Atomics.or(this.#words, index, bitOf(lane))
  }

  remove(lane: number): void {
    Atomics.and(this.#words, this.#index + wordIndex(lane), ~bitOf(lane))
  }

  get isEmpty(): boolean {
    for (let word = 0; word < this.#wordCount; word++)
      if (Atomics.load(this.#words, this.#index + word) !== 0) return false
    return true
  }

  /** True if there is another lane in the set. */
  hasOther(besides: number): boolean {
    for (let word = 0; word < this.#wordCount; word++) {
      const bits = Atomics.load(this.#words, this.#index + word)
      if ((wordIndex(besides) === word ? bits & ~bitOf(besides) : bits) !== 0) return true
    }
    return false
  }

  has(lane: number): boolean {
    return (Atomics.load(this.#words, this.#index + wordIndex(lane)) & bitOf(lane)) !== 0
  }

  /**
   * Moves the set into the caller's own, and leaves it empty. Whoever adds a lane from here on adds it anew: so the caller looks at a lane
   * *behind* this, and what it does not see there is announced again.
   */
  moveInto(own: OwnLaneBits): void {
    for (let word = 0; word < this.#wordCount; word++) {
      const index = this.#index + word
      if (Atomics.load(this.#words, index) !== 0) own.words[word] |= Atomics.exchange(this.#words, index, 0)
    }
  }
}

/** The same, of one thread alone. */
export class OwnLaneBits {
  readonly words: Int32Array

  constructor(lanes: number) {
    this.words = new Int32Array(lanes / bitsInWord)
  }

  add(lane: number): void {
    this.words[wordIndex(lane)] |= bitOf(lane)
  }

  remove(lane: number): void {
    this.words[wordIndex(lane)] &= ~bitOf(lane)
  }

  /** The first lane of the set behind `lane`, going round; -1: the set is empty. */
  nextAfter(lane: number): number {
    const count = this.words.length
    const start = (lane + 1) % (count * bitsInWord)
    // The first word twice: its upper part now, its lower part when everything else has been looked at.
    for (let step = 0; step <= count; step++) {
      const word = (wordIndex(start) + step) % count
      const mask = step === 0 ? -1 << (start & 31) : -1
      const bits = this.words[word] & mask
      if (bits !== 0) return word * bitsInWord + (31 - Math.clz32(bits & -bits))
    }
    return -1
  }
}
