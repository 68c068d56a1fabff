/**
 * The messages that the server has given to this process and that are not settled: each *at hand*, the lowest offset first, or with a holder.
 */
import { Heap } from '../../collections/heap.js'
import type { LooseMessage } from '../../messages/chunk-builder.js'

export interface HeldMessage {
  readonly message: LooseMessage
  /** The subject for what becomes of it: of the last time the server gave it to us. */
  reply: string
  /** 1 for the first delivery. */
  attempt: number
  /** Who was given it; undefined: it is at hand. */
  holder: { release(): void } | undefined
}

/** What the server is told of a message, as bodies to that subject. */
export const settle = {
  ack: '+ACK',
  stillAtWork: '+WPI',
  giveBack: '-NAK',
  giveBackAfter: (delayMs: number) => `-NAK {"delay": ${Math.round(delayMs * 1e6)}}`,
} as const

export class LeasedMessages {
  readonly #byOffset = new Map<number, HeldMessage>()
  /** With some that were settled since. */
  readonly #atHand = new Heap<HeldMessage>((a, b) => a.message.offset < b.message.offset)
  #atHandCount = 0
  /** Raised whenever a message comes or goes. */
  version = 0

  get size(): number {
    return this.#byOffset.size
  }

  get atHandCount(): number {
    return this.#atHandCount
  }

  get(offset: number): HeldMessage | undefined {
    return this.#byOffset.get(offset)
  }

  all(): HeldMessage[] {
    return [...this.#byOffset.values()]
  }

  /** At hand, new or given back. */
  put(held: HeldMessage): void {
    held.holder = undefined
    this.version += 1
    this.#byOffset.set(held.message.offset, held)
    this.#atHand.push(held)
    this.#atHandCount += 1
  }

  /** The lowest at hand. */
  peek(): HeldMessage | undefined {
    for (let held = this.#atHand.peek(); held !== undefined; held = this.#atHand.peek()) {
      if (this.#byOffset.get(held.message.offset) === held && held.holder === undefined) return held
      this.#atHand.pop()
    }
    return undefined
  }

  /** Takes the lowest at hand for that holder. */
  take(holder: { release(): void }): HeldMessage | undefined {
    const held = this.peek()
    if (held === undefined) return undefined
    this.#atHand.pop()
    this.#atHandCount -= 1
    held.holder = holder
    return held
  }

  /** It is settled. */
  forget(offset: number): HeldMessage | undefined {
    const held = this.#byOffset.get(offset)
    if (held === undefined) return undefined
    this.version += 1
    this.#byOffset.delete(offset)
    if (held.holder === undefined) this.#atHandCount -= 1
    return held
  }

  clear(): void {
    this.version += 1
    this.#byOffset.clear()
    this.#atHand.clear()
    this.#atHandCount = 0
  }
}
