/** A server of streams behind a port, or behind connections that another thread has accepted. */
import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, Socket } from 'node:net'
import type { StreamServer } from '../../http/server.js'

export interface ServePlace {
  readonly host: string
  readonly port: number
}

/** What connections may take, beside the limits of the streams. */
export interface WebLimits {
  /** In each thread. */
  readonly maxConnections: number
  /** In which all of a head has to come, and all of a request, ms. */
  readonly headMs: number
  readonly requestMs: number
}

export const usualLimits: WebLimits = { maxConnections: 50_000, headMs: 10_000, requestMs: 60_000 }
const keepAliveTimeout = 5_000
/** How often it is looked for heads and requests that are late, at most. */
const mostCheckMs = 1_000
/** Who does not take its answer in that time when the server ends does not get it. */
const graceMs = 5_000
const refusal = 'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n'

export class WebServer {
  readonly #streams: StreamServer
  readonly #limits: WebLimits
  /** Speaks HTTP over the connections that it is given. */
  readonly #web: HttpServer
  readonly #listener: Server
  readonly #connections = new Set<Socket>()
  #isClosing = false
  #onIdle: (() => void) | undefined

  constructor(streams: StreamServer, limits: WebLimits) {
    const { headMs, requestMs } = limits
    this.#streams = streams
    this.#limits = limits
    const checks = { connectionsCheckingInterval: Math.min(mostCheckMs, headMs) }
    const times = { headersTimeout: headMs, requestTimeout: requestMs, keepAliveTimeout, ...checks }
    this.#web = createHttpServer(times, (request, response) => {
      // Who has a connection that he uses all the time would hold the end up until it is cut.
      if (this.#isClosing) response.shouldKeepAlive = false
      streams.handler(request, response)
    })
    // It never listens by itself: from here on it looks after its connections.
    this.#web.emit('listening')
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (connection) => this.#admit(connection))
  }

  /** @param isShared other threads listen there too. @throws the system's error */
  async listen({ host, port }: ServePlace, isShared: boolean): Promise<AddressInfo> {
    this.#listener.listen({ host, port, ...(isShared && { reusePort: true }) })
    await once(this.#listener, 'listening')
    return this.#listener.address() as AddressInfo
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
    this.#admit(connection)
  }

  /** Nobody new; those that wait are told where to go on; then connections that nothing is sent over. */
  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#listener.listening) this.#listener.close()
    const late = setTimeout(() => this.#web.closeAllConnections(), graceMs)
    await this.#streams.close()
    this.#web.closeIdleConnections()
    if (this.#connections.size > 0)
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    clearTimeout(late)
    this.#web.close()
  }

  #admit(connection: Socket): void {
    if (this.#connections.size >= this.#limits.maxConnections) {
      connection.on('error', () => {})
      connection.end(refusal, () => connection.destroy())
      return
    }
    this.#connections.add(connection)
    connection.once('close', () => {
      this.#connections.delete(connection)
      if (this.#connections.size === 0) this.#onIdle?.()
    })
    this.#web.emit('connection', connection)
  }
}
