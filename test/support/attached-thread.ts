/** Another thread with a port of a log, and what it says. */
import { once } from 'node:events'
import { type Transferable, Worker } from 'node:worker_threads'
import type { ConnectOptions, LogPort } from 'bookend'
import { onTestFinished } from 'vitest'

export class AttachedThread {
  readonly worker: Worker

  /** Not connected yet. */
  constructor(port: LogPort | undefined, { reads }: ConnectOptions = {}) {
    this.worker = new Worker(new URL('../fixtures/attached-thread.mjs', import.meta.url), {
      workerData: { library: import.meta.resolve('bookend'), port, reads },
      transferList: [...(port?.ports ?? [])],
    })
    onTestFinished(async () => {
      await this.worker.terminate()
    })
  }

  static async connected(port: LogPort, options?: ConnectOptions): Promise<AttachedThread> {
    const thread = new AttachedThread(port, options)
    await thread.do('connect')
    return thread
  }

  /** What the job comes to; rejects with the error as it was told. */
  async do<V>(job: string, given: object = {}, transfer: readonly Transferable[] = []): Promise<V> {
    const answered = once(this.worker, 'message')
    this.worker.postMessage({ job, given }, transfer)
    const [{ value, error }] = (await answered) as [
      { value: V; error?: { name: string; code?: string; message: string } },
    ]
    if (error !== undefined) throw Object.assign(new Error(error.message), error)
    return value
  }
}
