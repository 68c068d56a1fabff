/** Whose turn it is where two threads store into the same words, one at a time. */
const states = { free: 0, taken: 1 } as const

/** Who looks whether it is free although nobody has told, looks this often. */
const lookMs = 100

export class TurnWord {
  readonly #words: Int32Array
  readonly #index: number

  constructor(words: Int32Array, index: number) {
    this.#words = words
    this.#index = index
  }

  /** False: it is the other one's turn. */
  tryTake(): boolean {
    return Atomics.compareExchange(this.#words, this.#index, states.free, states.taken) === states.free
  }

  /** For a thread that may block, and only where the other one never waits for it meanwhile. */
  take(): void {
    while (!this.tryTake()) Atomics.wait(this.#words, this.#index, states.taken, lookMs)
  }

  /** Everything that was stored before is visible to whoever takes it. */
  giveBack(): void {
    Atomics.store(this.#words, this.#index, states.free)
    Atomics.notify(this.#words, this.#index)
  }
}
