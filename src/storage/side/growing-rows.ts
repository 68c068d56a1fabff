/** Rows of two words, one after the other, of which nobody knows how many will come. */
export class GrowingRows {
  #words: Uint32Array
  #length = 0

  /** @param words where they are put, as long as there is room */
  constructor(words = new Uint32Array(512)) {
    this.#words = words
  }

  /** The same row as the one before is not added again. */
  add(first: number, second: number): void {
    const at = this.#length
    const words = this.#words.length < at + 2 ? this.#grown() : this.#words
    if (at > 0 && words[at - 1] === second && words[at - 2] === first) return
    words[at] = first
    words[at + 1] = second
    this.#length = at + 2
  }

  /** They stay in the same memory until more are added. */
  get words(): Uint32Array {
    return this.#words.subarray(0, this.#length)
  }

  #grown(): Uint32Array {
    const grown = new Uint32Array(2 * this.#words.length)
    grown.set(this.#words)
    this.#words = grown
    return grown
  }
}
