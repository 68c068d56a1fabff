/** Pages of files in memory, as many as there may be: the one that was read first goes first. */
export class KeptPages {
  readonly #max: number
  readonly #pages = new Map<number, Uint32Array<ArrayBuffer>>()
  /** The keys of all pages in the round; where the next one goes, the oldest stands. */
  readonly #keys: number[] = []
  #next = 0

  constructor(max: number) {
    this.#max = max
  }

  get(key: number): Uint32Array<ArrayBuffer> | undefined {
    return this.#pages.get(key)
  }

  /** The memory of the page that goes, if there are as many as there may be. Its page is gone. */
  takeOldest(): Uint32Array<ArrayBuffer> | undefined {
    const oldest = this.#keys[this.#next]
    const words = oldest === undefined ? undefined : this.#pages.get(oldest)
    if (words !== undefined) this.#pages.delete(oldest)
    return words
  }

  /** @param words into which the page was read: a page that could not be is none */
  keep(key: number, words: Uint32Array<ArrayBuffer>): void {
    this.#pages.set(key, words)
    this.#keys[this.#next] = key
    this.#next = (this.#next + 1) % this.#max
  }

  clear(): void {
    this.#pages.clear()
    this.#keys.length = 0
    this.#next = 0
  }
}
