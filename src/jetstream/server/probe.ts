/**
 * The question to a consumer of the server whether there is a message at this moment. Its answers come to a place of its own: neither a message
 * that somebody has asked for before nor the answer to another question is taken for the answer to this one.
 */
import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import { status, statusOf } from './pull-status.js'

/** What there is belongs to who has asked before, and is on its way there: soon it is known what is left. */
const againMs = { first: 5, longest: 250 }
const request = JSON.stringify({ batch: 1, no_wait: true })

export interface ProbeOwner {
  /** Before the probe is answered with true. */
  onMessage(message: Msg): void
  /** The consumer cannot say. */
  onRefused(message: Msg): void
}

export class Probe {
  /** Undefined: it was ended before there was an answer. */
  readonly answer: Promise<boolean | undefined>
  readonly #nc: NatsConnection
  readonly #subject: string
  readonly #owner: ProbeOwner
  readonly #inbox = createInbox()
  readonly #subscription: Subscription
  #answered: ((isThere: boolean | undefined) => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #askedMs = 0
  #pauseMs: number = againMs.first

  /** @param subject for requests to that consumer */
  constructor(nc: NatsConnection, subject: string, owner: ProbeOwner) {
    this.#nc = nc
    this.#subject = subject
    this.#owner = owner
    this.#subscription = nc.subscribe(this.#inbox, { callback: (_, message) => this.#receive(message) })
    this.answer = new Promise((resolve) => {
      this.#answered = resolve
    })
    this.#ask()
  }

  /** Since when it waits for a word, of `performance.now()`; Infinity: it is to ask again. */
  get askedMs(): number {
    return this.#askedMs
  }

  /** What the server had sent before it heard of this has come when it resolves. The connection must be up. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#subscription.drain().catch(() => {})
  }

  end(isThere?: boolean): void {
    if (this.#answered === undefined) return
    clearTimeout(this.#timer)
    this.#subscription.unsubscribe()
    this.#answered(isThere)
    this.#answered = undefined
  }

  #ask(): void {
    this.#askedMs = performance.now()
    // A connection that has ended says so by its silence as well.
    if (!this.#nc.isClosed()) this.#nc.publish(this.#subject, request, { reply: this.#inbox })
  }

  #receive(message: Msg): void {
    if (this.#answered === undefined) return
    const code = statusOf(message)
    if (code === undefined) {
      this.#owner.onMessage(message)
      this.end(true)
    } else if (code === status.nothing) this.end(false)
    else if (code === status.expired) this.#askAgain()
    else this.#owner.onRefused(message)
  }

  #askAgain(): void {
    this.#askedMs = Number.POSITIVE_INFINITY
    this.#timer = setTimeout(() => this.#ask(), this.#pauseMs)
    this.#pauseMs = Math.min(againMs.longest, 2 * this.#pauseMs)
  }
}
