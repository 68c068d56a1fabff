/** So many at a time; who comes first is served first. */
import { Fifo } from '../../collections/fifo.js'

export class Slots {
  readonly #waiting = new Fifo<() => void>()
  #free: number

  constructor(count: number) {
    this.#free = count
  }

  async within<R>(work: () => Promise<R>): Promise<R> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      // Handed on, so that nobody who comes now is served before.
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
