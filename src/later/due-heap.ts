/** Entries that wait, the least at hand: a binary heap in one array of numbers, so that ten thousands of them are no objects, and nothing to collect. */
import { entryNumbers } from '../format/due-layout.js'
import type { DueEntry } from './due-order.js'

/** As it stands in a page: see format/due-layout.ts. It is due when its order comes. */
export function entryAt(numbers: Float64Array, index: number): DueEntry {
  const order = numbers[index]
  const at = numbers[index + 2]
  return { due: order, order, id: numbers[index + 1], at: Math.floor(at / 2), isCancel: at % 2 === 1 }
}

export class DueHeap {
  /** As in pages. */
  #numbers = new Float64Array(64 * entryNumbers)
  /** Numbers in use. */
  #end = 0
  /** The least, where somebody has asked. */
  #least: DueEntry | undefined

  get length(): number {
    return this.#end / entryNumbers
  }

  /** That of the least; Infinity: there is none. */
  get leastOrder(): number {
    return this.#end === 0 ? Number.POSITIVE_INFINITY : this.#numbers[0]
  }

  peek(): DueEntry | undefined {
    if (this.#end > 0) this.#least ??= entryAt(this.#numbers, 0)
    return this.#least
  }

  push({ order, id, at, isCancel }: DueEntry): void {
    this.#push(order, id, at * 2 + (isCancel ? 1 : 0))
  }

  /** The least goes. */
  pop(): void {
    if (this.#end === 0) return
    this.#least = undefined
    this.#end -= entryNumbers
    this.#sink()
  }

  /** The lowest offset of a record, or `most` where that is lower. */
  lowestAt(most: number): number {
    let lowest = most
    for (let index = 2; index < this.#end; index += entryNumbers)
      lowest = Math.min(lowest, Math.floor(this.#numbers[index] / 2))
    return lowest
  }

  /** Those of records below an offset, as pages have them, in order. They stay in here. */
  sortedBelow(end: number): Float64Array {
    const heap = this.#part((at) => at < end)
    const sorted = new Float64Array(heap.#end)
    for (let index = 0; index < sorted.length; index += entryNumbers) {
      for (let part = 0; part < entryNumbers; part++) sorted[index + part] = heap.#numbers[part]
      heap.pop()
    }
    return sorted
  }

  /** Those of records below an offset go. */
  dropBelow(end: number): void {
    const left = this.#part((at) => at >= end)
    this.#numbers = left.#numbers
    this.#end = left.#end
    this.#least = undefined
  }

  #part(isIn: (at: number) => boolean): DueHeap {
    const part = new DueHeap()
    const numbers = this.#numbers
    for (let index = 0; index < this.#end; index += entryNumbers)
      if (isIn(Math.floor(numbers[index + 2] / 2))) part.#push(numbers[index], numbers[index + 1], numbers[index + 2])
    return part
  }

  #push(order: number, id: number, at: number): void {
    if (this.#end === this.#numbers.length) {
      const grown = new Float64Array(this.#end * 2)
      grown.set(this.#numbers)
      this.#numbers = grown
    }
    const numbers = this.#numbers
    let place = this.#end
    this.#end += entryNumbers
    while (place > 0) {
      const parent = ((place / entryNumbers - 1) >> 1) * entryNumbers
      if (!isLess(order, id, numbers, parent)) break
      move(numbers, parent, place)
      place = parent
    }
    put(numbers, place, order, id, at)
    if (place === 0) this.#least = undefined
  }

  /** What stands behind the end takes the place of the least, and goes down to where it belongs. */
  #sink(): void {
    const numbers = this.#numbers
    const end = this.#end
    const order = numbers[end]
    const id = numbers[end + 1]
    let place = 0
    for (;;) {
      let child = 2 * place + entryNumbers
      if (child >= end) break
      const other = child + entryNumbers
      if (other < end && isLess(numbers[other], numbers[other + 1], numbers, child)) child = other
      if (!isLess(numbers[child], numbers[child + 1], numbers, end)) break
      move(numbers, child, place)
      place = child
    }
    put(numbers, place, order, id, numbers[end + 2])
  }
}

function isLess(order: number, id: number, numbers: Float64Array, place: number): boolean {
  return order < numbers[place] || (order === numbers[place] && id < numbers[place + 1])
}

function move(numbers: Float64Array, from: number, to: number): void {
  put(numbers, to, numbers[from], numbers[from + 1], numbers[from + 2])
}

function put(numbers: Float64Array, place: number, order: number, id: number, at: number): void {
  numbers[place] = order
  numbers[place + 1] = id
  numbers[place + 2] = at
}
