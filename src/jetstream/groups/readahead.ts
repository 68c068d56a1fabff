/**
 * How many messages are asked for ahead of those who take one after the other. None for who takes his time: the server counts an attempt
 * each time it gives a message away, and what is not taken has to go back.
 */

const most = 256
const first = 8
/** Who runs dry again within this takes them faster than they come. */
const quickMs = 50

export class Readahead {
  #count = 0
  #dryMs = Number.NEGATIVE_INFINITY

  get count(): number {
    return this.#count
  }

  /** Somebody asks, and nothing is at hand. */
  ranDry(nowMs: number): void {
    this.#count = nowMs - this.#dryMs < quickMs ? Math.min(most, Math.max(first, this.#count * 2)) : this.#count >>> 1
    this.#dryMs = nowMs
  }

  stop(): void {
    this.#count = 0
  }
}
