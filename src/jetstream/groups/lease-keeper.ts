/**
 * Keeps what the server has given to this process, or hands it back. What somebody holds stays ours, by a word to the server from time to
 * time; what nobody takes for a while goes back, for another process.
 */
import type { Link } from '../server/link.js'
import type { Demand } from './demand.js'
import { type HeldMessage, type LeasedMessages, settle } from './leased-messages.js'

/** What nobody claims for so long goes back, where nobody takes one after the other: the next seat often comes right behind the last one. */
const unclaimedMs = 250
const longestTickMs = 250
/** What goes back without a word of the server comes again when its time is over. */
const heardMs = 1_000
const noted = (): void => {}

export class LeaseKeeper {
  readonly #link: Link
  readonly #held: LeasedMessages
  readonly #demand: Demand
  readonly #ackWaitMs: number
  /** Attempts of messages that went back to the server, where we know of more than it has counted. */
  readonly #attempts = new Map<number, number>()
  readonly #goingBack = new Set<Promise<void>>()
  #claimedMs = 0
  #toldMs = 0
  #ticker: NodeJS.Timeout | undefined

  constructor(link: Link, held: LeasedMessages, demand: Demand, ackWaitMs: number) {
    this.#link = link
    this.#held = held
    this.#demand = demand
    this.#ackWaitMs = ackWaitMs
  }

  /** There is something to keep. */
  begin(): void {
    this.#ticker ??= setInterval(() => this.#tick(), Math.min(longestTickMs, this.#ackWaitMs / 4)).unref()
  }

  /** Somebody took what is at hand; or only now there is anything to take. */
  claimed(): void {
    this.#claimedMs = performance.now()
  }

  /** @param counted by the server */
  attemptOf(offset: number, counted: number): number {
    return Math.max(counted, this.#attempts.get(offset) ?? 0)
  }

  /** It was acknowledged: its attempts mean nothing any more. */
  settled(offset: number): void {
    this.#attempts.delete(offset)
  }

  /** Of a message that is held no more, or never was. */
  tell({ reply }: HeldMessage, what: string): void {
    const { nc } = this.#link
    if (!nc.isClosed()) nc.publish(reply, what)
  }

  /** For another attempt, by whoever the server gives it to. */
  handBack(held: HeldMessage, how: string): void {
    const { offset } = held.message
    this.#held.forget(offset)
    this.#attempts.set(offset, held.attempt)
    const { nc } = this.#link
    if (nc.isClosed()) return
    const heard = nc.request(held.reply, how, { timeout: heardMs }).then(noted, noted)
    this.#goingBack.add(heard)
    void heard.then(() => this.#goingBack.delete(heard))
  }

  /** The server has heard of what went back, or is silent: who asks it now is given that first. */
  async allBack(): Promise<void> {
    while (this.#goingBack.size > 0) await Promise.all(this.#goingBack)
  }

  /** What was held means nothing any more. */
  forgetAll(): void {
    this.#held.clear()
    this.#demand.stopAhead()
    this.#attempts.clear()
    this.#stop()
  }

  #stop(): void {
    clearInterval(this.#ticker)
    this.#ticker = undefined
  }

  #tick(): void {
    if (this.#held.size === 0) {
      this.#stop()
      return
    }
    const nowMs = performance.now()
    const patienceMs = this.#demand.ahead > 0 ? this.#ackWaitMs / 2 : unclaimedMs
    if (!this.#demand.isAsked && nowMs - this.#claimedMs > patienceMs) {
      this.#demand.stopAhead()
      for (const held of this.#held.all()) if (held.holder === undefined) this.handBack(held, settle.giveBack)
    }
    if (nowMs - this.#toldMs < this.#ackWaitMs / 3) return
    this.#toldMs = nowMs
    for (const held of this.#held.all()) if (held.holder !== undefined) this.tell(held, settle.stillAtWork)
  }
}
