/** Whoever waits until a group is done with what was there: others of the group acknowledge as well, and tell nobody, so it is looked. */
import { setTimeout as wait } from 'node:timers/promises'
import type { EngineGroup } from '../../engine/group-seat.js'

/** How often. */
const lookMs = 50

interface PendingIdle {
  readonly target: number
  resolve(): void
  reject(error: unknown): void
}

export class IdleLook {
  readonly #group: Pick<EngineGroup, 'position'>
  readonly #waiting = new Set<PendingIdle>()

  constructor(group: Pick<EngineGroup, 'position'>) {
    this.#group = group
  }

  /** Resolves when everything below `target` is done. */
  until(target: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ target, resolve, reject })
      if (this.#waiting.size === 1) void this.#watch()
    })
  }

  /** Something was acknowledged. */
  async look(): Promise<void> {
    if (this.#waiting.size === 0) return
    const committed = await this.#group.position().then(
      (position) => position.committed,
      () => -1,
    )
    for (const waiting of this.#waiting) {
      if (waiting.target > committed) continue
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
