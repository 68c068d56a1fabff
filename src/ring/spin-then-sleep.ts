/**
 * How a worker waits: it looks for a short while, then sleeps until its bell rings.
 *
 * Waking a sleeping thread costs tens of microseconds, a spinning one sees work at once; but a spinning thread
 * takes a core from somebody else. So it spins about as long as a wake-up costs, lets others in between if they wait for its core, and
 * does not spin at all on a single one.
 */
import { availableParallelism } from 'node:os'
import type { Bell } from './shared-state.js'

export const defaultSpins = availableParallelism() > 1 ? 10_000 : 0

const briefShare = 10
/** A power of two: a system call costs about as much as so many looks. */
const spinsPerYield = 32

export class SpinThenSleep {
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
   * Returns when there is work, when the bell has rung since the call, or after `ceilingMs`.
   * @param isBrief work is not to be expected before another thread has had the processor: hardly looks before it sleeps
   */
  wait(ceilingMs: number, isBrief = false): void {
    const before = this.#bell.token()
    const spins = isBrief ? this.#spins / briefShare : this.#spins
    for (let spin = 0; spin < spins; spin++) {
      if (this.#hasWork() || this.#bell.token() !== before) return
      if (spin % spinsPerYield === spinsPerYield - 1) this.#yieldProcessor()
    }
    // Announce sleep first, then look once more: whoever makes work stores it first and then looks at the announcement.
    const token = this.#bell.arm()
    if (token !== before || this.#hasWork()) this.#bell.disarm()
    else this.#bell.wait(token, ceilingMs)
  }
}
