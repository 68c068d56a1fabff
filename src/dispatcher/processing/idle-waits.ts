/** Those who wait until everything that was published when they asked is done. */
interface IdleWait {
  readonly target: number
  resolve(): void
  reject(error: unknown): void
}

export class IdleWaits {
  #waits: IdleWait[] = []

  get length(): number {
    return this.#waits.length
  }

  /** Resolves when everything below `target` is done. */
  add(target: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waits.push({ target, resolve, reject }))
  }

  /** Everything below `committed` is done: those who wait for no more are over, and told by `tell`. */
  settle(committed: number, tell: (resolve: () => void, reject: (error: unknown) => void) => void): void {
    const waits = this.#waits
    this.#waits = waits.filter(({ target }) => target > committed)
    for (const { target, resolve, reject } of waits) if (target <= committed) tell(resolve, reject)
  }

  refuse(error: unknown): void {
    for (const { reject } of this.#waits.splice(0)) reject(error)
  }
}
