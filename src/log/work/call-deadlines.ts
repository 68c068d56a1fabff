/**
 * Calls under way, each of which may take so long: one timer for all of them, which is set for the one that was begun first and looks at the next when it fires. A call costs no timer.
 */

export interface TimedCall {
  /** By `performance.now()`. */
  readonly beganMs: number
  /** It has taken too long. */
  expire(): void
}

export class CallDeadlines<C extends TimedCall> {
  readonly #timeoutMs: number
  /** In the order in which they were begun. */
  readonly #calls = new Set<C>()
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  add(call: C): void {
    this.#calls.add(call)
    if (this.#timer === undefined) this.#wake(this.#timeoutMs)
  }

  /** It has ended. */
  delete(call: C): void {
    this.#calls.delete(call)
  }

  [Symbol.iterator](): Iterator<C> {
    return this.#calls.values()
  }

  /** Of nothing that is to be kept alive: processors see to that. */
  #wake(ms: number): void {
    this.#timer = setTimeout(this.#look, Math.ceil(ms)).unref()
  }

  readonly #look = (): void => {
    this.#timer = undefined
    const nowMs = performance.now()
    for (const call of this.#calls) {
      const leftMs = call.beganMs + this.#timeoutMs - nowMs
      if (leftMs > 0) {
        this.#wake(leftMs)
        return
      }
      this.#calls.delete(call)
      call.expire()
    }
  }
}
