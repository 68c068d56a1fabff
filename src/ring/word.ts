/** Single shared 32-bit words. Every access is sequentially consistent: whoever loads a value sees all that was written before its store. */

/** What anybody may do with a word, or a {@link PositionCell}, of another thread. */
export interface Loadable {
  load(): number
}

/** A word as its owner has it: nobody else stores. */
export class Word implements Loadable {
  readonly #words: Int32Array
  readonly #index: number

  constructor(words: Int32Array, index: number) {
    this.#words = words
    this.#index = index
  }

  load(): number {
    return Atomics.load(this.#words, this.#index)
  }

  store(value: number): void {
    Atomics.store(this.#words, this.#index, value)
  }

  add(value: number): number {
    return Atomics.add(this.#words, this.#index, value)
  }
}

/** A word that anybody may add to, and nobody stores. */
export type Counter = Pick<Word, 'load' | 'add'>
