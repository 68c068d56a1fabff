/**
 * What handlers append in threads of their own, as the thread that keeps the books writes it: each call's messages in one transaction with the
 * acknowledgement of what it was given, so that both are there or neither, whatever ends.
 *
 * A thread that has been ended may have handed something over before: that is written all the same, and acknowledged. So whoever decides what
 * becomes of its messages asks the desk first (`DeskTransactions.isDoneFor`).
 */
import type { MessagePort } from 'node:worker_threads'
import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { Durability, EncodedMessage, TransactionParts } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { partsOf } from '../messages/encoded.js'
import type { HandledMessages } from '../threads/reader/handler.js'
import { CallParty } from './attached/calls.js'
import type { WriteCalls } from './attached/handler-line.js'
import type { AckShare } from './group-transactions.js'

export interface HandlerWritesParts {
  desk(topic: string, group: string): Pick<GroupDesk, 'transactions'>
  transact(parts: TransactionParts, acks: readonly AckShare[], level: Durability): Promise<unknown>
}

export class HandlerWrites {
  readonly #parts: HandlerWritesParts

  constructor(parts: HandlerWritesParts) {
    this.#parts = parts
  }

  /** A thread of a processor wants to append: this is its end of a channel, which closes with it. */
  attend(port: MessagePort): void {
    const own: WriteCalls = { write: (_, messages, handled, level) => this.write(messages, handled, level) }
    new CallParty({ port, own, onEnd() {} })
  }

  /** See {@link WriteCalls.write}. */
  async write(
    encoded: readonly EncodedMessage[],
    handled: HandledMessages | undefined,
    level: Durability,
  ): Promise<boolean> {
    const parts = partsOf(encoded)
    for (;;) {
      try {
        await this.#parts.transact(parts, handled === undefined ? [] : [handled], level)
        return true
      } catch (error) {
        if (!(error instanceof BookendError) || error.code !== 'BOOKEND_CONFLICT' || handled === undefined) throw error
      }
      const { topic, group, generation, ranges } = handled
      // Another transaction was under way with them, which may have been refused: then they are still ours.
      if (await this.#parts.desk(topic, group).transactions.isDoneFor(generation, ranges)) return false
    }
  }
}
