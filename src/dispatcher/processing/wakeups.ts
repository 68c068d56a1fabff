/** Who waits in here for a condition looks again each time something may have changed it. */
export class Wakeups {
  readonly #sleepers = new Set<() => void>()

  /** Something has changed: each looks whether it is concerned. */
  wake(): void {
    for (const look of this.#sleepers) look()
  }

  /** Resolves when the condition holds, or after so long. */
  until(condition: () => boolean, timeoutMs?: number): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      const done = () => {
        clearTimeout(timer)
        this.#sleepers.delete(look)
        resolve()
      }
      const look = () => {
        if (condition()) done()
      }
      if (timeoutMs !== undefined) timer = setTimeout(done, timeoutMs)
      this.#sleepers.add(look)
    })
  }
}
