/** A way between a client and a server that can be cut, and on which answers can be lost: what was sent has arrived, and nobody is told. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export class Passage {
  readonly url: string
  readonly #server: Server
  readonly #pairs = new Set<[Socket, Socket]>()
  #losesAnswers = false

  private constructor(server: Server, port: number) {
    this.#server = server
    this.url = `nats://127.0.0.1:${port}`
  }

  static async to(target: string): Promise<Passage> {
    const { hostname, port } = new URL(target)
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const proxy = new Passage(server, (server.address() as { port: number }).port)
    server.on('connection', (client) => proxy.#join(client, connect(Number(port), hostname)))
    return proxy
  }

  #join(client: Socket, upstream: Socket): void {
    const pair: [Socket, Socket] = [client, upstream]
    this.#pairs.add(pair)
    client.on('data', (data) => upstream.write(data))
    upstream.on('data', (data) => {
      if (!this.#losesAnswers) client.write(data)
    })
    const end = () => {
      for (const socket of pair) socket.destroy()
      this.#pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
  }

  /** From now on nothing comes back, on any connection, until {@link cut}. */
  loseAnswers(): void {
    this.#losesAnswers = true
  }

  /** Ends all connections; new ones are whole. */
  cut(): void {
    this.#losesAnswers = false
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
  }

  close(): void {
    this.cut()
    this.#server.close()
  }
}
