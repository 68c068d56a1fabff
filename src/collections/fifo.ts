/**
 * A queue in a ring that grows: what goes through it moves nothing and makes no garbage.
 *
 * ```
 *   |.....|=======|....|     items[(head + n) & mask], from its head on
 * ```
 */
const leastCapacity = 16
/** A ring above this is let go as soon as it is empty. */
const keptCapacity = 4096

export class Fifo<T> {
  #items: (T | undefined)[] = emptyRing(leastCapacity)
  #mask = leastCapacity - 1
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: T): void {
    if (this.#length > this.#mask) this.#grow()
    this.#items[(this.#head + this.#length) & this.#mask] = item
    this.#length += 1
  }

  /** undefined: it is empty. */
  peek(): T | undefined {
    return this.#items[this.#head]
  }

  /** @param index from the head, below {@link length} */
  at(index: number): T {
    return this.#items[(this.#head + index) & this.#mask] as T
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.#length === 0) return undefined
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & this.#mask
    this.#length -= 1
    if (this.#length === 0 && this.#mask >= keptCapacity) this.#reset([])
    return item
  }

  /** What is in it, oldest first. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.#length; index++) yield this.at(index)
  }

  /** Takes out what is not wanted any more. */
  keep(isWanted: (item: T) => boolean): void {
    this.#reset([...this].filter(isWanted))
  }

  /** Takes everything out. */
  drain(): T[] {
    const items = [...this]
    this.#reset([])
    return items
  }

  #grow(): void {
    this.#reset([...this], 2 * this.#items.length)
  }

  #reset(items: T[], capacity = leastCapacity): void {
    while (capacity < items.length) capacity *= 2
    this.#items = emptyRing<T>(capacity)
    this.#mask = capacity - 1
    this.#head = 0
    this.#length = items.length
    items.forEach((item, index) => {
      this.#items[index] = item
    })
  }
}

function emptyRing<T>(capacity: number): (T | undefined)[] {
  return new Array<T | undefined>(capacity).fill(undefined)
}
