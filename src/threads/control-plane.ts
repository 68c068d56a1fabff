/**
 * Comlink over a worker's port, with what it lacks: errors keep their code, cause and class, and a call to a worker that dies is
 * rejected instead of staying pending for ever.
 */
import type { Worker } from 'node:worker_threads'
import { type Endpoint, expose, transfer, wrap } from 'comlink'
import nodeEndpoint from 'comlink/dist/umd/node-adapter.js'
import { BookendError, fromPortable, type PortableError, toPortable } from '../errors.js'

/**
 * What a function threw, as an answer. Comlink has a way for errors, but it keeps nothing of them than text, and its handlers are
 * one set for the whole thread: what the application does with its own copy of comlink must not change, so none is touched.
 */
interface Thrown {
  readonly bookendThrown: PortableError
}

function isThrown(answer: unknown): answer is Thrown {
  return typeof answer === 'object' && answer !== null && 'bookendThrown' in answer
}

/** For arguments that go over to the other thread. */
export { transfer }

type Port = Parameters<typeof nodeEndpoint>[0]

/** Worker side. */
export function serve<T extends object>(api: T, port: Port): void {
  const answering = Object.entries(api).map(([name, call]) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      try {
        return await call.apply(api, args)
      } catch (error) {
        return { bookendThrown: toPortable(error) } satisfies Thrown
      }
    },
  ])
  expose(Object.fromEntries(answering), nodeEndpoint(port) as Endpoint)
}

function outcomeOf(answer: unknown): unknown {
  if (isThrown(answer)) throw fromPortable(answer.bookendThrown)
  return answer
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
          this.#race(wrapped[name](...args).then(outcomeOf)),
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
