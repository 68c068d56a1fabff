/** Whoever waits until something is done that others do as well, and tell nobody: so it is looked, now and then, and whenever something was done here. */
import { setTimeout as wait } from 'node:timers/promises'

/** How often. */
const lookMs = 50

interface PendingIdle {
  /** A look that fails sees nothing. */
  isOver(): Promise<boolean>
  resolve(): void
  reject(error: unknown): void
}

export class IdleLook {
  readonly #waiting = new Set<PendingIdle>()

  /** Resolves when it is over, as far as a look has seen. */
  until(isOver: () => Promise<boolean>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ isOver, resolve, reject })
      if (this.#waiting.size === 1) void this.#watch()
    })
  }

  /** Something was acknowledged. */
  async look(): Promise<void> {
    for (const waiting of this.#waiting) {
      if (!(await waiting.isOver().catch(() => false))) continue
      this.#waiting.delete(waiting)
      waiting.resolve()
    }
  }

  /** It will not come to that any more. */
  refuse(error: unknown): void {
    for (const { reject } of this.#waiting) reject(error)
    this.#waiting.clear()
  }

  async #watch(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.look()
      await wait(lookMs)
    }
  }
}
