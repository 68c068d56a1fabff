/** The channel from an attached thread to the owner of the log: before there is an engine that hears what comes through it, and then for it. */
import type { MessagePort } from 'node:worker_threads'
import { KeepAlive } from '../../dispatcher/keep-alive.js'
import type { LogPort } from '../../engine/terms.js'
import { BookendError, fromPortable } from '../../errors.js'
import { AttachedEngine, type ReadsIn } from './attached-engine.js'
import { CallParty } from './calls.js'
import { takePort } from './log-port.js'
import type { AttachedCalls, DeskName, Grant, OwnerParty } from './protocol.js'

/**
 * @throws TypeError if the port is none, or was used before; `BOOKEND_CLOSED` if its log has closed; `BOOKEND_NO_SPACE` if too many
 *   threads are attached
 */
export async function connectEngine(given: LogPort, readsIn: ReadsIn): Promise<AttachedEngine> {
  const connection = new Connection(takePort(given))
  const grant = await connection.grant()
  const { owner, keepAlive } = connection
  connection.engine = new AttachedEngine({ owner, keepAlive, grant, readsIn })
  return connection.engine
}

class Connection {
  readonly keepAlive = new KeepAlive()
  readonly owner: OwnerParty
  engine: AttachedEngine | undefined
  #isConnected = false

  constructor(port: MessagePort) {
    this.owner = new CallParty({ port, own: this.#calls(), onEnd: () => this.#lost(), keepAlive: this.keepAlive })
  }

  async grant(): Promise<Grant> {
    try {
      const grant = await this.owner.call('connect')
      this.#isConnected = true
      return grant
    } catch (error) {
      this.owner.end(error as Error)
      this.keepAlive.end()
      throw error
    }
  }

  #lost(): void {
    const message = this.#isConnected
      ? 'the thread that opened the log has ended, and the log with it'
      : 'the thread that opened the log has ended'
    const error = new BookendError('BOOKEND_CLOSED', message)
    this.owner.end(error)
    this.engine?.lose(error)
  }

  /** What is said comes behind the answer to `connect`, but the engine is there a turn of the microtasks after that. */
  #calls(): AttachedCalls {
    const desk = ({ topic, group }: DeskName) => this.engine?.topic(topic).group(group).desk
    return {
      closing: () => {
        void this.engine?.close()
      },
      failed: (_, error) => this.engine?.fail(fromPortable(error) as BookendError),
      given: (_, name, number, lease) => desk(name)?.given(number, lease),
      nothing: (_, name, number) => desk(name)?.nothing(number),
      refused: (_, name, number, error) => desk(name)?.failed(number, fromPortable(error)),
      changed: (_, name, state) => desk(name)?.changed(state),
      isThere: () => {},
      withdrawn: (_, name, first, end) => desk(name)?.withdrawn(first, end),
      processed: (_, number, view) => this.engine?.noteProcessor(number, view),
    }
  }
}
