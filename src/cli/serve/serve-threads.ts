/** Several threads that serve one log behind one port: each with the log connected, and a server of the streams that this one knows of. */
import type { AddressInfo } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { StreamServer } from '../../http/server.js'
import type { Log } from '../../log/log.js'
import { inheritedFlags } from '../../threads/own-threads.js'
import { exitStatus, Failure } from '../failure.js'
import { freePlace, type Handing, handOver, sharingOf } from './shared-port.js'
import type { FromServeThread, ServeOptions, ServeThreadData, ToServeThread } from './thread-messages.js'
import type { ServePlace, WebLimits } from './web-server.js'

/** A thread that has not ended so long after it was told to is ended: its connections have less time than that. */
const lateMs = 10_000

export interface Served {
  readonly log: Log
  readonly streams: StreamServer
  readonly options: ServeOptions
  /** Of each thread. */
  readonly limits: WebLimits
}

export class ServeThreads {
  readonly address: AddressInfo
  /** Rejects when a thread has failed, or has ended by itself: what it held is let go, and the others could go on, but why it did is to be seen by whoever looks after the process. */
  readonly failed: Promise<never>
  readonly #threads: readonly ServeThread[]
  readonly #handing: Handing | undefined

  private constructor(threads: readonly ServeThread[], address: AddressInfo, handing: Handing | undefined) {
    this.#threads = threads
    this.address = address
    this.#handing = handing
    this.failed = Promise.race(threads.map(({ failed }) => failed))
    this.failed.catch(() => {})
  }

  /** @throws Failure, the system's error */
  static async start(served: Served, wanted: ServePlace, count: number): Promise<ServeThreads> {
    const { log, streams, options, limits } = served
    const threads: ServeThread[] = []
    let handing: Handing | undefined
    try {
      let address: AddressInfo
      let place: ServePlace | undefined
      if (sharingOf(process.versions.node, process.platform) === 'reuse') {
        address = await freePlace(wanted)
        place = { host: wanted.host, port: address.port }
      } else {
        let turn = 0
        // Connections that come before the threads are there wait in their ports.
        handing = await handOver(wanted, (descriptor) => threads[turn++ % count].tell({ descriptor }))
        address = handing.address
      }
      for (let index = 0; index < count; index++) {
        const data: ServeThreadData = { log: await log.port(), streams: streams.port(), options, limits, place }
        threads.push(new ServeThread(data))
      }
      await Promise.all(threads.map(({ ready }) => ready))
      return new ServeThreads(threads, address, handing)
    } catch (error) {
      await handing?.close()
      await Promise.all(threads.map((thread) => thread.terminate()))
      throw error
    }
  }

  /** Nobody new; each tells those that wait where to go on, and leaves the log. */
  async close(): Promise<void> {
    await this.#handing?.close()
    await Promise.all(this.#threads.map((thread) => thread.close()))
  }
}

class ServeThread {
  readonly ready: Promise<void>
  readonly failed: Promise<never>
  readonly #worker: Worker
  readonly #ended: Promise<void>

  constructor(data: ServeThreadData) {
    const worker = new Worker(new URL('../../../workers/server.js', import.meta.url), {
      ...inheritedFlags(),
      workerData: data,
      transferList: [...data.log.ports, ...data.streams.ports],
    })
    this.#worker = worker
    this.failed = new Promise((_, reject) => {
      worker.once('error', reject)
      worker.once('exit', (code) => {
        reject(new Failure(`a thread that serves has ended by itself, with exit code ${code}`, exitStatus.failed))
      })
    })
    this.failed.catch(() => {})
    this.#ended = new Promise((resolve) => {
      worker.once('exit', () => resolve())
    })
    const ready = new Promise<void>((resolve) => {
      worker.once('message', (_: FromServeThread) => resolve())
    })
    this.ready = Promise.race([ready, this.failed])
    this.ready.catch(() => {})
  }

  tell(message: ToServeThread): void {
    this.#worker.postMessage(message)
  }

  async close(): Promise<void> {
    this.tell({ close: true })
    // One that runs in a circle hears nothing any more.
    const late = setTimeout(() => void this.#worker.terminate(), lateMs)
    await this.#ended
    clearTimeout(late)
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }
}
