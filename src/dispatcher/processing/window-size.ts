/** How many messages are leased at a time: from one batch up to many, while tasks over them are short. */
const maxWindowCount = 65_536
/** How far the fastest lane may be ahead of the slowest. */
export const maxRowCount = 2 * maxWindowCount
const shortTaskMs = 10
const longTaskMs = 50

export class WindowSize {
  readonly #batchSize: number
  #count: number

  /** @param batchSize messages a call of the handler gets at most */
  constructor(batchSize: number) {
    this.#batchSize = batchSize
    this.#count = batchSize
  }

  get count(): number {
    return this.#count
  }

  /** How many more messages a window may take in that holds so many, the slowest lane being so far from its end. */
  room(count: number, ahead: number): number {
    return Math.min(this.#count - ahead, maxWindowCount - count)
  }

  /** A task over a window has taken so long for so many messages. */
  adapt(elapsedMs: number, count: number): void {
    if (elapsedMs > longTaskMs) this.#count = Math.max(this.#batchSize, Math.floor(this.#count / 2))
    else if (elapsedMs < shortTaskMs && count >= this.#count)
      this.#count = Math.min(Math.max(this.#batchSize, maxWindowCount), this.#count * 2)
  }
}
