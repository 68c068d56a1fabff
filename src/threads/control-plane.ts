/**
 * Comlink over a worker's port, with what it lacks: errors keep their code, cause and class, and a call to a worker that dies is
 * rejected instead of staying pending for ever.
 */
import type { Worker } from 'node:worker_threads'
import { type Endpoint, expose, transfer, transferHandlers, wrap } from 'comlink'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { BookendError, fromPortable, type PortableError, toPortable } from '../errors.js'

interface Thrown {
  value: unknown
}

const original = transferHandlers.get('throw')
if (original === undefined) throw new Error('comlink has no handler for thrown values: its version does not fit')
// The marker that tells a thrown value is private to comlink, so its own test for it is kept.
transferHandlers.set('throw', {
  canHandle: original.canHandle,
  serialize: (thrown) => [toPortable((thrown as Thrown).value), []],
  deserialize: (portable: PortableError) => {
    throw fromPortable(portable)
  },
})

/** For arguments that go over to the other thread. */
export { transfer }

type Port = Parameters<typeof nodeEndpoint>[0]

/** Worker side. */
export function serve<T extends object>(api: T, port: Port): void {
  expose(api, nodeEndpoint(port) as Endpoint)
}

/** The same functions, answered from the other thread. */
export type Remote<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never
}

export class ControlChannel<T extends object> {
  readonly remote: Remote<T>
  readonly #pending = new Set<(error: Error) => void>()
  #death: Error | undefined

  /** @param role named in the error that calls get when the worker dies */
  constructor(worker: Worker, role: string) {
    const wrapped = wrap(nodeEndpoint(worker) as Endpoint) as unknown as Record<
      string,
      (...args: unknown[]) => Promise<unknown>
    >
    this.remote = new Proxy({} as Remote<T>, {
      get:
        (_, name: string) =>
        (...args: unknown[]) =>
          this.#race(wrapped[name](...args)),
    })
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    worker.once('exit', (exitCode) => {
      this.#death = new BookendError('BOOKEND_WORKER', `the ${role} thread has ended (exit code ${exitCode})`, {
        cause,
      })
      for (const reject of this.#pending) reject(this.#death)
      this.#pending.clear()
    })
  }

  #race(call: Promise<unknown>): Promise<unknown> {
    if (this.#death !== undefined) return Promise.reject(this.#death)
    return new Promise((resolve, reject) => {
      this.#pending.add(reject)
      call.then(resolve, reject).finally(() => this.#pending.delete(reject))
    })
  }
}
