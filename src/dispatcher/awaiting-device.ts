/** Those who wait until something of theirs is on the device: see ring/flush-way.ts. */
import { Fifo } from '../collections/fifo.js'
import type { Loadable } from '../ring/word.js'

interface Awaiting<T> {
  /** On the way that the flush is asked for on. */
  number: number
  value: T
  resolve(value: T): void
  reject(error: unknown): void
}

export class AwaitingDevice<T> {
  readonly #flushed: Loadable
  readonly #waiting = new Fifo<Awaiting<T>>()

  /** @param flushed the last number that is on the device */
  constructor(flushed: Loadable) {
    this.#flushed = flushed
  }

  get length(): number {
    return this.#waiting.length
  }

  /**
   * Resolves with `value` once everything up to `number` is on the device. In the order of the calls: who comes behind a higher
   * number hears when that is.
   */
  add(number: number, value: T, resolve: (value: T) => void, reject: (error: unknown) => void): void {
    this.#waiting.push({ number, value, resolve, reject })
  }

  settle(): void {
    if (this.#waiting.length === 0) return
    const flushed = this.#flushed.load()
    for (let next = this.#waiting.peek(); next !== undefined && next.number <= flushed; next = this.#waiting.peek()) {
      this.#waiting.shift()
      next.resolve(next.value)
    }
  }

  refuse(error: Error): void {
    for (const { reject } of this.#waiting.drain()) reject(error)
  }
}
