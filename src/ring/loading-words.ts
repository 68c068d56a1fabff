/**
 * Threads of the library load native code, and to end one meanwhile ends the process: koffi and mmap-io take a call into Node that is refused, as
 * all are in a thread that is being ended, for a reason to abort. Nobody here ends a thread that is starting. But Node ends all that a thread has started
 * when it exits: so that waits for those that are loading, and those that come to it later do not begin.
 */

const word = {
  /** How many threads are loading. */
  loading: 0,
  /** 1: who has started them exits. */
  exiting: 1,
} as const
const wordCount = 2

export class LoadingWords {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array

  static allocate(): LoadingWords {
    return new LoadingWords(new SharedArrayBuffer(wordCount * Int32Array.BYTES_PER_ELEMENT))
  }

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared
    this.#words = new Int32Array(shared)
  }

  /** In a thread that loads. Does not come back where who has started it exits: it is ended then. */
  during<R>(load: () => R): R {
    Atomics.add(this.#words, word.loading, 1)
    try {
      // Behind the count: an exit that this does not see sees that.
      if (Atomics.load(this.#words, word.exiting) === 0) return load()
    } finally {
      Atomics.sub(this.#words, word.loading, 1)
      Atomics.notify(this.#words, word.loading)
    }
    Atomics.wait(this.#words, word.exiting, 1)
    throw new Error('the thread is ended')
  }

  /** In who has started them, at its exit: no thread is loading when this returns, nor will be; or it takes too long. */
  exit(patienceMs: number): void {
    Atomics.store(this.#words, word.exiting, 1)
    const deadline = performance.now() + patienceMs
    for (;;) {
      // Behind the store: a thread that this does not see sees that.
      const loading = Atomics.load(this.#words, word.loading)
      const leftMs = deadline - performance.now()
      if (loading === 0 || leftMs <= 0) return
      Atomics.wait(this.#words, word.loading, loading, leftMs)
    }
  }
}
