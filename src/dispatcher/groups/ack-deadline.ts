/**
 * The clock of what a consumer holds. Set once for all deliveries of its time, not once for each: a consumer that acknowledges at once
 * would set and stop it for every message. So it may run while nothing is held, and then leads to no consumer: one that everybody else has
 * forgotten is collected.
 */
import { maxTimerMs } from '../../limits.js'

export class AckDeadline {
  readonly #onClose: Set<() => void>
  #timer: NodeJS.Timeout | undefined
  /** What is called when the time has come: it looks by itself whose deadline is over. Set only while something is held. */
  giveBack: (() => void) | undefined

  /** @param onClose told when the log closes */
  constructor(onClose: Set<() => void>) {
    this.#onClose = onClose
  }

  /** Deadlines never decrease: a clock that runs already is early enough. */
  watch(deadlineMs: number): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(
      this.#ring,
      Math.min(maxTimerMs, Math.max(1, Math.ceil(deadlineMs - performance.now()) + 1)),
    )
    // A delivery that nobody acknowledges does not keep the process alive, nor the log in memory once that is closed.
    this.#timer.unref()
    this.#onClose.add(this.stop)
  }

  readonly stop = (): void => {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.giveBack = undefined
    this.#onClose.delete(this.stop)
  }

  readonly #ring = (): void => {
    const { giveBack } = this
    this.stop()
    giveBack?.()
  }
}
