/** The other side, for the demonstration: an endpoint that is sometimes busy, and never takes one kind of event. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Receiver {
  readonly url: string
  /** Calls, by what became of them. */
  readonly counts: { accepted: number; repeated: number; busy: number; refused: number }
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  const counts = { accepted: 0, repeated: 0, busy: 0, refused: 0 }
  const seen = new Set<string>()
  const busyOnce = new Set<string>()
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request.setEncoding('utf8')) body += piece
    const key = String(request.headers['idempotency-key'])
    const { order } = JSON.parse(body) as { order: number }
    const answer = (status: number, kind: keyof typeof counts) => {
      counts[kind] += 1
      response.writeHead(status).end()
    }
    if (order % 10 === 7) return answer(422, 'refused')
    if (order % 5 === 0 && !busyOnce.has(key)) {
      busyOnce.add(key)
      return answer(503, 'busy')
    }
    // What it has seen already it accepts again and ignores: that makes at least once effectively once.
    if (seen.has(key)) return answer(200, 'repeated')
    seen.add(key)
    answer(200, 'accepted')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}/hook`, counts, close }
}
