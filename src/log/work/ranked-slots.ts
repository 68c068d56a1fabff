/**
 * So many at a time, of several ranks: a slot that comes free goes to the highest that waits, and every {@link turnOfLowest}th to the lowest, so that nobody waits for ever. In
 * one rank who comes first is served first.
 */
import { Fifo } from '../../collections/fifo.js'
import type { Slots } from './slots.js'

/** How often the lowest rank comes first. */
export const turnOfLowest = 16

export class RankedSlots {
  readonly #waiting: readonly Fifo<() => void>[]
  #free: number
  #given = 0

  constructor(count: number, ranks: number) {
    this.#free = count
    this.#waiting = Array.from({ length: ranks }, () => new Fifo<() => void>())
  }

  /** For those of one rank; 0 is the lowest. */
  ofRank(rank: number): Pick<Slots, 'within'> {
    return { within: (work) => this.#within(rank, work) }
  }

  async #within<R>(rank: number, work: () => Promise<R>): Promise<R> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting[rank].push(resolve))
    try {
      return await work()
    } finally {
      // Handed on, so that nobody who comes now is served before.
      const next = this.#next()
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  #next(): (() => void) | undefined {
    const waiting = this.#waiting.filter(({ length }) => length > 0)
    if (waiting.length === 0) return undefined
    this.#given += 1
    return (this.#given % turnOfLowest === 0 ? waiting[0] : waiting[waiting.length - 1]).shift()
  }
}
