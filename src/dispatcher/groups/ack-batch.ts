/** Acknowledgements of one turn of the event loop: they travel together, and everybody who waits for one has the same promise. */
import { type OffsetRange, OffsetRanges } from '../../collections/offset-ranges.js'

export class AckBatch {
  /** Of the books that they are for. */
  readonly generation: number
  readonly #ranges = new OffsetRanges()
  readonly #done: Promise<void>
  #resolve!: () => void
  #reject!: (error: unknown) => void

  constructor(generation: number) {
    this.generation = generation
    this.#done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get ranges(): readonly OffsetRange[] {
    return this.#ranges.list
  }

  add(first: number, end: number): Promise<void> {
    this.#ranges.add(first, end)
    return this.#done
  }

  /** @param onCommitted called before anybody hears of it */
  settle(answer: Promise<number>, onCommitted: (committed: number) => void): void {
    answer.then((committed) => {
      onCommitted(committed)
      this.#resolve()
    }, this.#reject)
  }
}
