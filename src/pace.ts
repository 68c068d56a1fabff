/** No more than so many beginnings in any stretch of time that is so long. */

export interface PaceLimit {
  readonly max: number
  readonly intervalMs: number
}

export class Pace {
  readonly #intervalMs: number
  /** When the last `max` were begun, by `performance.now()`: the oldest at {@link #oldest}, in a circle. */
  readonly #begun: Float64Array
  #oldest = 0

  constructor({ max, intervalMs }: PaceLimit) {
    this.#intervalMs = intervalMs
    this.#begun = new Float64Array(max).fill(Number.NEGATIVE_INFINITY)
  }

  /** How many may begin now, at most `wanted`. */
  room(wanted: number, nowMs: number): number {
    const most = Math.min(wanted, this.#begun.length)
    let count = 0
    while (count < most && this.#freeAt(count) <= nowMs) count += 1
    return count
  }

  /** So many begin now: {@link room} has said that they may. */
  begin(count: number, nowMs: number): void {
    for (let left = count; left > 0; left--) {
      this.#begun[this.#oldest] = nowMs
      this.#oldest = (this.#oldest + 1) % this.#begun.length
    }
  }

  /** Until the next one may; 0: now. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#freeAt(0) - nowMs)
  }

  #freeAt(index: number): number {
    return this.#begun[(this.#oldest + index) % this.#begun.length] + this.#intervalMs
  }
}
