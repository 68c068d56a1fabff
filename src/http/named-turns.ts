/** What is done under one name comes one after the other. */
export class NamedTurns {
  /** The last of each. */
  readonly #last = new Map<string, Promise<unknown>>()

  take<R>(name: string, work: () => Promise<R>): Promise<R> {
    const before = this.#last.get(name)
    const mine = before === undefined ? work() : before.then(work)
    const settled = mine.then(
      () => {},
      () => {},
    )
    this.#last.set(name, settled)
    void settled.then(() => {
      if (this.#last.get(name) === settled) this.#last.delete(name)
    })
    return mine
  }
}
