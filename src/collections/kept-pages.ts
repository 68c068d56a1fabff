/**
 * Pages of files in memory, as many as there may be: the one that was read first goes first.
 * @typeParam P a page: its words, or the place where they stand
 */
export class KeptPages<P = Uint32Array<ArrayBuffer>> {
  readonly #max: number
  readonly #pages = new Map<number, P>()
  /** The keys of all pages in the round; where the next one goes, the oldest stands. */
  readonly #keys: number[] = []
  #next = 0

  constructor(max: number) {
    this.#max = max
  }

  get(key: number): P | undefined {
    return this.#pages.get(key)
  }

  /** The memory of the page that goes, if there are as many as there may be. Its page is gone. */
  takeOldest(): P | undefined {
    const oldest = this.#keys[this.#next]
    const page = oldest === undefined ? undefined : this.#pages.get(oldest)
    if (page !== undefined) this.#pages.delete(oldest)
    return page
  }

  /** @param page has been read: one that could not be is none */
  keep(key: number, page: P): void {
    this.#pages.set(key, page)
    this.#keys[this.#next] = key
    this.#next = (this.#next + 1) % this.#max
  }

  clear(): void {
    this.#pages.clear()
    this.#keys.length = 0
    this.#next = 0
  }
}
