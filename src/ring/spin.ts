/**
 * Looking for work for a short while before going to sleep.
 *
 * Waking a sleeping thread costs tens of microseconds, a spinning one sees work at once; but a spinning thread
 * takes a core from somebody else. So it spins about as long as a wake-up costs, lets others in between if they wait for its core, and
 * does not spin at all on a single one.
 */
import { availableParallelism } from 'node:os'
import type { Bell } from './bell.js'

export const defaultSpins = availableParallelism() > 1 ? 10_000 : 0

const briefShare = 100
/** A power of two: a system call costs about as much as so many looks. */
const spinsPerYield = 32

export class Spin {
  readonly #bell: Bell
  readonly #hasWork: () => boolean
  readonly #yieldProcessor: () => void
  readonly #spins: number

  constructor(bell: Bell, hasWork: () => boolean, yieldProcessor: () => void, spins = defaultSpins) {
    this.#bell = bell
    this.#hasWork = hasWork
    this.#yieldProcessor = yieldProcessor
    this.#spins = spins
  }

  /**
   * @param token of the bell, from before the last look at everything
   * @param isBrief work is not to be expected before another thread has had the processor: hardly looks
   * @returns true as soon as there is work or the bell has rung since; false: there was neither
   */
  seesWork(token: number, isBrief = false): boolean {
    const spins = isBrief ? this.#spins / briefShare : this.#spins
    for (let spin = 0; spin < spins; spin++) {
      if (this.#hasWork() || this.#bell.token() !== token) return true
      if (spin % spinsPerYield === spinsPerYield - 1) this.#yieldProcessor()
    }
    return false
  }
}
