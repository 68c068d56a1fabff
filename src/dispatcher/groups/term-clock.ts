/** Calls back when the earliest of the times has come that it was told since. Keeps nothing alive. */
import { maxTimerMs } from '../../limits.js'

export class TermClock {
  readonly #onDue: () => void
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY

  constructor(onDue: () => void) {
    this.#onDue = onDue
  }

  /** @param dueMs as `performance.now()`; Infinity: never */
  watch(dueMs: number): void {
    if (dueMs >= this.#dueMs) return
    this.stop()
    this.#dueMs = dueMs
    const leftMs = Math.ceil(dueMs - performance.now()) + 1
    this.#timer = setTimeout(this.#ring, Math.min(maxTimerMs, Math.max(1, leftMs))).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  readonly #ring = (): void => {
    this.stop()
    this.#onDue()
  }
}
