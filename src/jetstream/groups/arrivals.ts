/**
 * What the servers give to this process: which of it is new here, and what becomes of the rest. They give a message again when they think that it was
 * lost, or when they do not know any more that they have given it, or that it is done.
 */
import type { Msg } from '@nats-io/transport-node'
import { deliveredOf, incoming } from '../server/wire.js'
import type { LeaseKeeper } from './lease-keeper.js'
import { type HeldMessage, type LeasedMessages, settle } from './leased-messages.js'
import type { ShareBooks } from './share-books.js'

export interface ArrivalsOwner {
  readonly books: ShareBooks
  readonly held: LeasedMessages
  readonly keeper: LeaseKeeper
  /** It is new, or to be handled once more. */
  keep(held: HeldMessage): void
  /** Nothing has come of it for those who wait: what it was asked for is asked for again. */
  missed(): void
  /** Met where nobody waits for it. */
  onError(error: unknown): void
}

export class Arrivals {
  readonly #owner: ArrivalsOwner

  constructor(owner: ArrivalsOwner) {
    this.#owner = owner
  }

  receive(message: Msg): void {
    const { books, held, keeper, keep, missed } = this.#owner
    const { offset, time, attempt } = deliveredOf(message)
    const reply = message.reply ?? ''
    const mine = held.get(offset)
    if (mine !== undefined) mine.reply = reply
    else if (!books.isUnderWay(offset)) {
      const arrived: HeldMessage = {
        message: incoming(offset, time, message.data, message.headers),
        reply,
        attempt: keeper.attemptOf(offset, attempt),
        holder: undefined,
      }
      if (!books.isDone(offset)) {
        keep(arrived)
        return
      }
      void this.#meetAgain(arrived)
    }
    missed()
  }

  /** Done, and here again: from a server that had not heard of it when it took over; or somebody went back. */
  async #meetAgain(arrived: HeldMessage): Promise<void> {
    const { books, keeper, keep, onError } = this.#owner
    try {
      const isDone = await books.isStillDone()
      if (isDone === true) keeper.tell(arrived, settle.ack)
      else if (isDone === false) keep(arrived)
    } catch (error) {
      // Not settled, so it comes again.
      onError(error)
    }
  }
}
