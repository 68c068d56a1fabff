/** A binary heap: the least element is at hand, whatever the order of arrival. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #isBefore: (a: T, b: T) => boolean

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore
  }

  get length(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(item, items[parent])) break
      items[at] = items[parent]
      at = parent
    }
    items[at] = item
  }

  pop(): T | undefined {
    const items = this.#items
    const least = items[0]
    const moved = items.pop()
    if (moved === undefined || items.length === 0) return least
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#isBefore(items[child + 1], items[child])) child += 1
      if (!this.#isBefore(items[child], moved)) break
      items[at] = items[child]
      at = child
    }
    items[at] = moved
    return least
  }

  /** All of them, in no order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.values()
  }

  clear(): void {
    this.#items.length = 0
  }
}
