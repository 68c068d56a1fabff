/**
 * A list of objects that live for a moment and are used again: where thousands are needed at once and thrown away together, a collector would
 * have to carry them about.
 */
export class Reused<T> {
  readonly #make: () => T
  readonly #items: T[] = []
  #length = 0

  constructor(make: () => T) {
    this.#make = make
  }

  get length(): number {
    return this.#length
  }

  /** The next one, as it was left. */
  add(): T {
    const index = this.#length
    this.#length += 1
    if (index === this.#items.length) this.#items.push(this.#make())
    return this.#items[index]
  }

  /** @param index below {@link length} */
  at(index: number): T {
    return this.#items[index]
  }

  /** Those from there on are not in it any more. */
  cut(length: number): void {
    this.#length = length
  }
}
