/**
 * How a thread of a processor appends: as an attached one, through a lane of its own, from when it first wants to. Nobody has sent it a
 * port: it makes the channel itself, and offers one end to the thread that owns the log. Its end frees the lane, however it comes.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { KeepAlive } from '../../dispatcher/keep-alive.js'
import type { EncodedMessage } from '../../engine/terms.js'
import { BookendError, fromPortable } from '../../errors.js'
import { CallParty } from './calls.js'
import { type OwnLane, openOwnLane } from './own-lane.js'
import type { AttachedCalls, OwnerCalls } from './protocol.js'

export class HandlerLane {
  readonly #offer: (port: MessagePort) => void
  #lane: Promise<OwnLane> | undefined

  /** @param offer the way to the thread that owns the log */
  constructor(offer: (port: MessagePort) => void) {
    this.#offer = offer
  }

  /**
   * In this order. Resolves when all are written; nothing is under way any more when it rejects.
   * @throws `BOOKEND_UNSUPPORTED` where the log has no lane left, and what ends an append
   */
  async append(messages: readonly EncodedMessage[]): Promise<void> {
    this.#lane ??= this.#connect().catch((error) => {
      // There may be one the next time.
      this.#lane = undefined
      throw error
    })
    const { topics, appends } = await this.#lane
    const ends = messages.map(({ topic, value, extras, level }) =>
      appends.append(topics.handle(topic), value, extras, level),
    )
    for (const end of await Promise.allSettled(ends)) if (end.status === 'rejected') throw end.reason
  }

  async #connect(): Promise<OwnLane> {
    const { port1: own, port2: offered } = new MessageChannel()
    const keepAlive = new KeepAlive()
    let lane: OwnLane | undefined
    const end = (error: BookendError) => {
      owner.end(error)
      lane?.watch.fail(error)
      keepAlive.end()
    }
    const owner = new CallParty<Pick<AttachedCalls, 'closing' | 'failed'>, Pick<OwnerCalls, 'connect' | 'recallIds'>>({
      port: own,
      own: {
        closing: () => end(goneError()),
        failed: (_, error) => lane?.watch.fail(fromPortable(error) as BookendError),
      },
      onEnd: () => end(goneError()),
      keepAlive,
    })
    this.#offer(offered)
    try {
      lane = openOwnLane(await owner.call('connect'), keepAlive, ({ name }, span) =>
        owner.call('recallIds', name, span),
      )
      return lane
    } catch (error) {
      end(error as BookendError)
      throw noLaneError(error)
    }
  }
}

function goneError(): BookendError {
  return new BookendError('BOOKEND_CLOSED', 'the log was closed while a handler was at work')
}

/** No room for a thread does not come to be with time, as that on a disk does. */
function noLaneError(error: unknown): unknown {
  if (!(error instanceof BookendError) || error.code !== 'BOOKEND_NO_SPACE') return error
  const message = `this thread of a processor cannot append: ${error.message}, or lower the concurrency of processors that do`
  return new BookendError('BOOKEND_UNSUPPORTED', message, { cause: error })
}
