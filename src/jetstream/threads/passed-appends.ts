/**
 * What handlers append goes to the application's thread, which has the connection: a thread that runs handlers has none.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { EncodedMessage } from '../../engine/terms.js'
import { fromPortable, type PortableError, toPortable } from '../../errors.js'

/** Posted by the handler's thread. */
export interface PassedAppends {
  readonly appends: readonly EncodedMessage[]
  /** Gets `undefined` when all are written, or what has kept one of them from it. */
  readonly answer: MessagePort
}

/** In the handler's thread. */
export class AppendPassing {
  readonly #post: (passed: PassedAppends, moved: readonly MessagePort[]) => void

  /** @param post to the application's thread */
  constructor(post: (passed: PassedAppends, moved: readonly MessagePort[]) => void) {
    this.#post = post
  }

  /** The servers acknowledge messages for themselves: at least once. */
  write(appends: readonly EncodedMessage[]): Promise<boolean> {
    const { port1: own, port2: answer } = new MessageChannel()
    return new Promise((resolve, reject) => {
      own.once('message', (error: PortableError | undefined) => {
        own.close()
        if (error === undefined) resolve(true)
        else reject(fromPortable(error))
      })
      this.#post({ appends, answer }, [answer])
    })
  }

  say(message: EncodedMessage): Promise<unknown> {
    return this.write([message])
  }
}

/** In the application's thread: whatever a handler's thread posts. */
export async function writePassed(message: unknown, append: (message: EncodedMessage) => Promise<number>) {
  const { appends, answer } = (message ?? {}) as Partial<PassedAppends>
  if (appends === undefined || answer === undefined) return
  // In the order of the handler's calls; nothing is under way any more when it is answered.
  const ends = await Promise.allSettled(appends.map(async (each) => append(each)))
  const failed = ends.find((end) => end.status === 'rejected')
  answer.postMessage(failed && toPortable(failed.reason))
  answer.close()
}
