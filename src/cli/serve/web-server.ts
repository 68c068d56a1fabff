/** A server of streams behind a port, or behind connections that another thread has accepted. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import type { StreamServer } from '../../http/server.js'

export interface ServePlace {
  readonly host: string
  readonly port: number
}

/** Who does not send a request in that time is not waited for. */
const timeouts = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5_000 }
/** Who does not take its answer in that time when the server ends does not get it. */
const graceMs = 5_000

export class WebServer {
  readonly #streams: StreamServer
  readonly #web: Server
  readonly #connections = new Set<Socket>()
  #onIdle: (() => void) | undefined

  constructor(streams: StreamServer) {
    this.#streams = streams
    this.#web = createServer(timeouts, streams.handler)
    this.#web.on('connection', (connection: Socket) => {
      this.#connections.add(connection)
      connection.once('close', () => {
        this.#connections.delete(connection)
        if (this.#connections.size === 0) this.#onIdle?.()
      })
    })
  }

  /** @param isShared other threads listen there too. @throws the system's error */
  async listen({ host, port }: ServePlace, isShared: boolean): Promise<AddressInfo> {
    this.#web.listen({ host, port, ...(isShared && { reusePort: true }) })
    await once(this.#web, 'listening')
    return this.#web.address() as AddressInfo
  }

  /** A connection that was accepted elsewhere, and is this thread's from now on. */
  take(descriptor: number): void {
    let connection: Socket
    try {
      connection = new Socket({ fd: descriptor, readable: true, writable: true, allowHalfOpen: true })
    } catch {
      // It has ended on its way here.
      return
    }
    connection.setNoDelay(true)
    this.#web.emit('connection', connection)
  }

  /** Nobody new; those that wait are told where to go on; then connections that nothing is sent over. */
  async close(): Promise<void> {
    if (this.#web.listening) this.#web.close()
    const late = setTimeout(() => this.#web.closeAllConnections(), graceMs)
    await this.#streams.close()
    this.#web.closeIdleConnections()
    if (this.#connections.size > 0)
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    clearTimeout(late)
  }
}
