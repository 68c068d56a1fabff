/** A log that another thread has opened. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { LogPort, OpenOptions } from 'bookend'
import { expect } from 'vitest'

export class OwnerThread {
  readonly worker: Worker
  readonly port: LogPort
  #closing: Promise<void> | undefined

  private constructor(worker: Worker, port: LogPort) {
    this.worker = worker
    this.port = port
  }

  static async start(directory: string, options: OpenOptions): Promise<OwnerThread> {
    const worker = new Worker(new URL('../fixtures/owner-thread.mjs', import.meta.url), {
      workerData: { library: import.meta.resolve('bookend'), directory, options },
    })
    // What ends the thread before it answers rejects this.
    const [{ port }] = (await once(worker, 'message')) as [{ port: LogPort }]
    return new OwnerThread(worker, port)
  }

  async anotherPort(): Promise<LogPort> {
    this.worker.postMessage('port')
    const [{ port }] = (await once(this.worker, 'message')) as [{ port: LogPort }]
    return port
  }

  /** The log has met no error in the background. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.worker.postMessage('close')
    const [{ errors }] = (await once(this.worker, 'message')) as [{ errors: object }]
    await this.worker.terminate()
    expect(errors).toEqual({ count: 0, last: undefined })
  }
}
