/**
 * Acknowledgements of one group on their way to the servers. What comes while some are under way goes together: all but the last are sent
 * without asking for an answer, and that of the last one speaks for all, since a consumer takes them in order, and passes over those alone
 * that it does not know to have given: the last one is that of the highest message. Where the connection was lost between the first and the answer, all
 * of them are sent again: once too often is harmless.
 */
import { NoRespondersError, TimeoutError } from '@nats-io/transport-node'
import { type Link, requestMs } from '../server/link.js'

const ack = '+ACK'

interface PendingAck {
  readonly offset: number
  readonly reply: string
  resolve(): void
  reject(error: unknown): void
}

export class AckSender {
  readonly #link: Link
  readonly #what: string
  readonly #isMeant: (offset: number) => Promise<boolean>
  #next: PendingAck[] = []
  #stage: 'idle' | 'sending' = 'idle'
  readonly #underWay = new Set<number>()
  readonly #whenIdle: (() => void)[] = []

  /** @param isMeant asked where nobody has answered to the acknowledgement of that message. False: it means nothing any more */
  constructor(link: Link, what: string, isMeant: (offset: number) => Promise<boolean>) {
    this.#link = link
    this.#what = what
    this.#isMeant = isMeant
  }

  /** Acknowledged, and not yet known to be. */
  isUnderWay(offset: number): boolean {
    return this.#underWay.has(offset)
  }

  get pending(): number {
    return this.#underWay.size
  }

  /** Resolves once the servers have it. */
  add(offset: number, reply: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#underWay.add(offset)
      this.#next.push({ offset, reply, resolve, reject })
      if (this.#stage === 'sending') return
      this.#stage = 'sending'
      queueMicrotask(() => void this.#send())
    })
  }

  /** Resolves when none is under way. */
  idle(): Promise<void> {
    if (this.#stage === 'idle') return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  async #send(): Promise<void> {
    while (this.#next.length > 0) {
      const batch = this.#next
      this.#next = []
      try {
        await this.#link.trying(this.#what, () => this.#sendAll(batch))
        this.#settle(batch, ({ resolve }) => resolve())
      } catch (error) {
        this.#settle(batch, ({ reject }) => reject(error))
      }
    }
    this.#stage = 'idle'
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  #settle(batch: readonly PendingAck[], settle: (pending: PendingAck) => void): void {
    for (const pending of batch) {
      this.#underWay.delete(pending.offset)
      settle(pending)
    }
  }

  async #sendAll(batch: readonly PendingAck[]): Promise<void> {
    const { nc, era } = this.#link
    const last = batch.reduce((highest, each) => (each.offset > highest.offset ? each : highest))
    try {
      // Without a wait between them: they take the same way.
      for (const each of batch) if (each !== last) nc.publish(each.reply, ack)
      await nc.request(last.reply, ack, { timeout: requestMs })
    } catch (error) {
      const isSilence = error instanceof NoRespondersError || error instanceof TimeoutError
      if (isSilence && this.#link.era === era && !(await this.#isMeant(last.offset))) return
      throw error
    }
    if (this.#link.era !== era) throw new Error('the connection was lost between acknowledgements')
  }
}
