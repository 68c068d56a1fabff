/** A queue in an array that does not move its elements at each removal. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  /** @param index from the head, below {@link length} */
  at(index: number): T {
    return this.#items[this.#head + index] as T
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.#head < this.#items.length) {
      this.#items[this.#head] = undefined
      this.#head += 1
    }
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** What is in it, oldest first. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at] as T
  }

  /** Takes out what is not wanted any more. */
  keep(isWanted: (item: T) => boolean): void {
    this.#items = (this.#items.slice(this.#head) as T[]).filter(isWanted)
    this.#head = 0
  }

  /** Takes everything out. */
  drain(): T[] {
    const items = this.#items.slice(this.#head) as T[]
    this.#items = []
    this.#head = 0
    return items
  }
}
