/**
 * How many messages of a group are wanted here: by those who ask, in order, and ahead of them by those who take one after the other.
 */
import { Fifo } from '../../collections/fifo.js'
import { Readahead } from './readahead.js'

/** Whoever takes messages: how many more of them it would hold, where it takes one after the other. */
export interface Seat {
  /** False: it works for a processor. */
  readonly isConsumer: boolean
  readonly room: number
}

/** Who asks: true once it is served, or does not ask any more. */
export type Asker = () => boolean

export class Demand {
  readonly #row = new Fifo<Asker>()
  readonly #seats = new Set<Seat>()
  readonly #readahead = new Readahead()

  /** Consumers that have a seat. */
  get consumers(): number {
    return [...this.#seats].filter(({ isConsumer }) => isConsumer).length
  }

  enter(seat: Seat): void {
    this.#seats.add(seat)
  }

  leave(seat: Seat): void {
    this.#seats.delete(seat)
  }

  /** The group is gone, and with it who sits in it. */
  clearSeats(): void {
    this.#seats.clear()
  }

  /** Somebody waits in the row. */
  get isAsked(): boolean {
    return this.#row.length > 0
  }

  /** At the end of the row. */
  push(asker: Asker): void {
    this.#row.push(asker)
  }

  /** Serves the row from its head, as far as that goes. */
  serve(): void {
    while (this.#row.peek()?.() === true) this.#row.shift()
  }

  /** Nothing was at hand for who asked. */
  ranDry(): void {
    this.#readahead.ranDry(performance.now())
  }

  /** Who took one after the other does so no more. */
  stopAhead(): void {
    this.#readahead.stop()
  }

  /** So few of what was asked for ahead are left at hand that it is time to ask for more. */
  isLow(atHand: number): boolean {
    return atHand <= this.#readahead.count >>> 1
  }

  /** Nobody asks for them yet, but is likely to. */
  get ahead(): number {
    let room = 0
    for (const seat of this.#seats) room += seat.room
    return Math.min(this.#readahead.count, room)
  }

  get wanted(): number {
    return this.#row.length + this.ahead
  }
}
