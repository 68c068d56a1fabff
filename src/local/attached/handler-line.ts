/**
 * How a thread of a processor writes what its handlers append: the thread that keeps the books does it, in one transaction with the acknowledgement.
 * Nobody has sent it a port: it makes the channel itself, with its first append, and offers one end.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { KeepAlive } from '../../dispatcher/keep-alive.js'
import type { Durability, EncodedMessage } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import type { HandledMessages } from '../../threads/reader/handler.js'
import { CallParty } from './calls.js'

/** Asked of the thread that keeps the books. */
export interface WriteCalls {
  /**
   * @param handled acknowledged with it; undefined: nothing is
   * @returns false: the messages are not the processor's any more, and nothing was written
   */
  write(
    signal: AbortSignal,
    messages: readonly EncodedMessage[],
    handled: HandledMessages | undefined,
    level: Durability,
  ): Promise<boolean>
}

export class HandlerLine {
  readonly #offer: (port: MessagePort) => void
  #owner: CallParty<Record<never, never>, WriteCalls> | undefined

  /** @param offer the way to the thread that keeps the books */
  constructor(offer: (port: MessagePort) => void) {
    this.#offer = offer
  }

  /** See {@link WriteCalls.write}. @throws what has kept the transaction from being written: then nothing of it is */
  write(messages: readonly EncodedMessage[], handled: HandledMessages, level: Durability): Promise<boolean> {
    this.#owner ??= this.#connect()
    return this.#owner.call('write', messages, handled, level)
  }

  /** @throws what has kept it from being written */
  say(message: EncodedMessage): Promise<unknown> {
    this.#owner ??= this.#connect()
    return this.#owner.call('write', [message], undefined, message.level)
  }

  #connect(): CallParty<Record<never, never>, WriteCalls> {
    const { port1: port, port2: offered } = new MessageChannel()
    const owner: CallParty<Record<never, never>, WriteCalls> = new CallParty({
      port,
      own: {},
      onEnd: () => owner.end(new BookendError('BOOKEND_CLOSED', 'the log was closed while a handler was at work')),
      keepAlive: new KeepAlive(),
    })
    this.#offer(offered)
    return owner
  }
}
