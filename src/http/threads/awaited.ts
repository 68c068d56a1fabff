/** Answers that are awaited from another thread, by number. */
export class Awaited<R> {
  readonly #waiting = new Map<number, { resolve(value: R): void; reject(error: Error): void }>()
  #number = 0
  #failure: Error | undefined

  /** @param ask sends the question, with its number */
  answer(ask: (number: number) => void): Promise<R> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const number = this.#number++
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      ask(number)
    })
  }

  resolve(number: number, value: R): void {
    this.#waiting.get(number)?.resolve(value)
    this.#waiting.delete(number)
  }

  reject(number: number, error: Error): void {
    this.#waiting.get(number)?.reject(error)
    this.#waiting.delete(number)
  }

  /** There are no more answers. */
  end(error: Error): void {
    this.#failure = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
