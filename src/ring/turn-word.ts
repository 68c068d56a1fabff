/**
 * Whose turn it is where two threads do what only one may do at a time, in one word: nobody's, or that of the one whose mark stands in it.
 *
 * 1. A turn is taken by one step from nobody's to one's own, so it is never that of two. Who does not get it finds the other one's mark, and nothing has changed.
 * 2. It is given back by who has it, and by nobody else: who gives back what is not its own changes nothing. So whoever takes the place of a thread that
 *    died gives back that one's turn, if it had it, and no other.
 * 3. One that is kept, as nothing may follow what was done in it, or as its thread has died, is taken by nobody any more, the one that has it included.
 */

const nobody = 0
const marks = { application: 1, writer: 2, reaper: 3 } as const

/** Who may have a turn, by its role to the log. */
export type TurnTaker = keyof typeof marks

/** Who looks whether it is nobody's although it was not told, looks this often. */
const lookMs = 100

export class TurnWord {
  readonly #words: Int32Array
  readonly #index: number

  constructor(words: Int32Array, index: number) {
    this.#words = words
    this.#index = index
  }

  /** False: it is somebody's, it may be the caller's own. */
  tryTake(taker: TurnTaker): boolean {
    return this.#take(taker) === nobody
  }

  /** For a thread that may block, and only where the other one never waits for it meanwhile. */
  take(taker: TurnTaker): void {
    for (let other = this.#take(taker); other !== nobody; other = this.#take(taker))
      Atomics.wait(this.#words, this.#index, other, lookMs)
  }

  /** Everything that was stored before is visible to whoever takes it. Nothing happens where it is not the caller's. */
  giveBack(taker: TurnTaker): void {
    const found = Atomics.compareExchange(this.#words, this.#index, marks[taker], nobody)
    if (found === marks[taker]) Atomics.notify(this.#words, this.#index)
  }

  isOf(taker: TurnTaker): boolean {
    return Atomics.load(this.#words, this.#index) === marks[taker]
  }

  /** @returns whose it was */
  #take(taker: TurnTaker): number {
    return Atomics.compareExchange(this.#words, this.#index, nobody, marks[taker])
  }
}
