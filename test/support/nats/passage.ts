/**
 * A way between a client and a server that can be cut, on which answers can be lost (what was sent has arrived, and nobody is told), and what
 * was sent can be held back, to arrive when its sender has long given it up.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'

const [ping, pong] = ['PING\r\n', 'PONG\r\n']

export class Passage {
  readonly url: string
  readonly #server: Server
  readonly #pairs = new Set<[Socket, Socket]>()
  #losesAnswers = false
  #holdsBack = false
  /** What has not arrived yet, by the server's end of its connection. */
  readonly #heldBack = new Map<Socket, Buffer[]>()

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
    client.on('data', (data) => {
      if (!this.#holdsBack) upstream.write(data)
      else this.#heldBack.set(upstream, [...(this.#heldBack.get(upstream) ?? []), data])
    })
    upstream.on('data', (data) => {
      if (!this.#losesAnswers && !client.destroyed) client.write(data)
    })
    const end = () => {
      client.destroy()
      if (!this.#heldBack.has(upstream)) upstream.destroy()
      this.#pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
  }

  /** From now on nothing comes back, on any connection, until {@link cut}. */
  loseAnswers(): void {
    this.#losesAnswers = true
  }

  /** From now on nothing that is sent arrives, on any connection, until {@link release}, or {@link abandon} and {@link deliverLate}. */
  holdBack(): void {
    this.#holdsBack = true
  }

  /** On how many connections something with these words in it is held back. */
  holds(words: string): number {
    return [...this.#heldBack.values()].filter((parts) => Buffer.concat(parts).includes(words)).length
  }

  /** What was held back arrives now, and what is sent from now on. */
  release(): void {
    this.#holdsBack = false
    for (const [upstream, parts] of this.#heldBack) upstream.write(Buffer.concat(parts))
    this.#heldBack.clear()
  }

  /** Senders lose their connections; new ones are whole. What was held back is on its way still. */
  abandon(): void {
    this.#holdsBack = false
    for (const [client] of this.#pairs) client.destroy()
  }

  /** What was held back arrives. Resolves when the server has worked on it. */
  async deliverLate(): Promise<void> {
    const late = [...this.#heldBack]
    this.#heldBack.clear()
    for (const [upstream, parts] of late) {
      // The answer to a question behind all of it; it may hold such questions itself.
      const sent = Buffer.concat([...parts, Buffer.from(ping)])
      let questions = sent.toString('latin1').split(ping).length - 1
      const isRead = new Promise((resolve) => {
        upstream.once('close', resolve).on('data', (data) => {
          questions -= data.toString('latin1').split(pong).length - 1
          if (questions <= 0) resolve(undefined)
        })
      })
      upstream.write(sent)
      await isRead
      upstream.destroy()
    }
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
