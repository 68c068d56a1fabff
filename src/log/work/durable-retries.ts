/**
 * Another attempt that survives a restart: the message is acknowledged, and scheduled anew for when its pause is over, in one transaction. It then stands behind all
 * others, at another offset, and says in its headers how often it has failed.
 *
 * Whoever waits until all is done waits for these too: what this processor has scheduled is known here until it has come to its end.
 */
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type { EngineLease } from '../../engine/group-seat.js'
import { BookendError } from '../../errors.js'
import type { Message } from '../../messages/message.js'
import { retriedOf, retryExtras } from '../../messages/retried.js'

interface AwaitedRetries {
  readonly origins: Set<number>
  resolve(): void
  reject(error: unknown): void
}

export class DurableRetries {
  readonly #engine: Engine
  readonly #topic: EngineTopic
  /** By the offsets at which they stood first. */
  readonly #outstanding = new Set<number>()
  readonly #waiting = new Set<AwaitedRetries>()

  constructor(engine: Engine, topic: EngineTopic) {
    this.#engine = engine
    this.#topic = topic
  }

  /**
   * @param attempts that have failed
   * @returns false: it has no room for that, or nothing can be written now; it is held as before
   */
  async schedule(message: Message, lease: EngineLease, attempts: number, inMs: number): Promise<boolean> {
    const { transactions, facts } = this.#engine
    const planned = {
      ...{ topic: this.#topic.name, value: message.value, extras: retryExtras(message, attempts) },
      ...{ due: { inMs }, id: undefined },
    }
    const { offset } = retriedOf(message)
    // First: it is acknowledged when it is written, and whoever looks then has to see it here.
    this.#outstanding.add(offset)
    try {
      const parts = { messages: [], registers: [], scheduled: [planned] }
      await transactions?.transact(parts, { leases: [lease], commits: [] }, facts.durability)
      return true
    } catch (error) {
      this.#outstanding.delete(offset)
      const code = error instanceof BookendError ? error.code : undefined
      // Done by somebody else meanwhile.
      if (code === 'BOOKEND_CONFLICT') return true
      if (code === 'BOOKEND_TOO_LARGE' || code === 'BOOKEND_NO_SPACE' || code === 'BOOKEND_CLOSED') return false
      throw error
    }
  }

  /** It is done, or given up. */
  settled(message: Message): void {
    if (this.#outstanding.size === 0) return
    const { attempts, offset } = retriedOf(message)
    if (attempts === 0 || !this.#outstanding.delete(offset)) return
    for (const each of this.#waiting) {
      if (!each.origins.delete(offset) || each.origins.size > 0) continue
      this.#waiting.delete(each)
      each.resolve()
    }
  }

  /** Resolves when all that waits now is settled. */
  allSettled(): Promise<void> {
    if (this.#outstanding.size === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.add({ origins: new Set(this.#outstanding), resolve, reject })
    })
  }

  /** Nothing is settled here any more. */
  refuse(error: unknown): void {
    for (const { reject } of this.#waiting) reject(error)
    this.#waiting.clear()
  }
}
