/** What a thread that does not keep a group's books knows to be done: what it has acknowledged itself, and everything below a committed offset that it was told. */
import { OffsetRanges } from '../../collections/offset-ranges.js'

export class ToldDone {
  #committed = 0
  #ranges = new OffsetRanges()

  has(offset: number): boolean {
    return offset < this.#committed || this.#ranges.has(offset)
  }

  add(first: number, end: number): void {
    if (end > this.#committed) this.#ranges.add(Math.max(first, this.#committed), end)
  }

  /** So what is remembered does not grow with what has been done. */
  commit(committed: number): void {
    if (committed <= this.#committed) return
    this.#committed = committed
    this.#ranges.removeBelow(committed)
  }

  /** Other books. */
  begin(committed: number): void {
    this.#committed = committed
    this.#ranges = new OffsetRanges()
  }
}
