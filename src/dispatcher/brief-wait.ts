/**
 * Staying awake for a moment, where an answer is likely to come within it.
 *
 * The writer answers in a few microseconds while it is awake; a thread that went to sleep for that takes more time, and more of the processor, to be woken. So
 * it looks for about as long as a wake-up costs, once in a turn of the event loop, behind whatever else that turn has to do. Where nothing came, the next
 * times are left out, twice as many as before: what waits for the device, or for the next message, costs next to nothing here.
 */
import { availableParallelism } from 'node:os'

/** On a single core nobody could answer meanwhile. */
const defaultMs = availableParallelism() > 1 ? 0.02 : 0
const looksPerClock = 16
const mostLeftOut = 32
// As they are when the library is loaded: where an application's tests put clocks of their own in their place, answers come as ever.
const now = performance.now.bind(performance)
const laterInTurn = setImmediate

/** Resolves at the end of this turn of the event loop. */
export function turnEnd(): Promise<void> {
  return new Promise((resolve) => void laterInTurn(resolve))
}

export class BriefWait {
  readonly #ms: number
  /** How many waits are still to be left out, and how many that were after the last one in vain. */
  #left = 0
  #leftOut = 0

  constructor(ms = defaultMs) {
    this.#ms = ms
  }

  /** Whether it is worth while this time: asked once for each wait. */
  isDue(): boolean {
    if (this.#ms === 0) return false
    if (this.#left === 0) return true
    this.#left -= 1
    return false
  }

  /** Looks until there is news, or for long enough. */
  look(hasNews: () => boolean): void {
    const endMs = now() + this.#ms
    do {
      for (let look = 0; look < looksPerClock; look++) {
        if (!hasNews()) continue
        this.#leftOut >>>= 1
        return
      }
    } while (now() < endMs)
    this.#leftOut = Math.min(mostLeftOut, Math.max(1, 2 * this.#leftOut))
    this.#left = this.#leftOut
  }
}
