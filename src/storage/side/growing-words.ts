/** Words, one after the other, of which nobody knows how many will come. */
export class GrowingWords {
  #words = new Uint32Array(256)
  #length = 0

  push(word: number): void {
    if (this.#length === this.#words.length) {
      const grown = new Uint32Array(2 * this.#length)
      grown.set(this.#words)
      this.#words = grown
    }
    this.#words[this.#length] = word
    this.#length += 1
  }

  get words(): Uint32Array {
    return this.#words.subarray(0, this.#length)
  }
}
