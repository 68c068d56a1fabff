/** Whether a port of a log can still be used: one word that everybody has who has the port, or had it before it was passed on. */
const states = { offered: 0, used: 1, void: 2 } as const

export type PortState = keyof typeof states

export class PortWord {
  readonly shared: SharedArrayBuffer
  readonly #word: Int32Array

  constructor(shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared
    this.#word = new Int32Array(shared)
  }

  get state(): PortState {
    const now = Atomics.load(this.#word, 0)
    return now === states.offered ? 'offered' : now === states.used ? 'used' : 'void'
  }

  /** For the one who connects. False: somebody has, or nobody may any more. */
  tryUse(): boolean {
    return this.#tryEnter(states.used)
  }

  /** For the log that closes. False: somebody has connected, or is about to. */
  tryVoid(): boolean {
    return this.#tryEnter(states.void)
  }

  #tryEnter(next: number): boolean {
    return Atomics.compareExchange(this.#word, 0, states.offered, next) === states.offered
  }
}
