/** A flag that one thread raises and others look at between two pieces of work: cancelling without ending a thread. */
export class AbortWord {
  readonly shared: SharedArrayBuffer
  readonly #word: Int32Array

  constructor(shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared
    this.#word = new Int32Array(shared)
  }

  raise(): void {
    Atomics.store(this.#word, 0, 1)
  }

  get isRaised(): boolean {
    return Atomics.load(this.#word, 0) !== 0
  }
}
