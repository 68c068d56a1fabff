/** Requests of `node:http`, and of what calls with the same two objects. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type HttpRequest, type Reply, tooLarge } from './exchange.js'

/** Nothing but a path is looked at: who the request says that it is for does not matter. */
const anyHost = 'http://host'

/** Undefined: its URL is none. */
export function requestOf(request: IncomingMessage, response: ServerResponse): HttpRequest | undefined {
  const { method = 'GET', url = '/', headers } = request
  // Express takes the mount point off `url`, and keeps it here.
  const { originalUrl = url } = request as { originalUrl?: string }
  if (!originalUrl.startsWith('/') || !URL.canParse(anyHost + originalUrl)) return undefined
  const { pathname, searchParams } = new URL(anyHost + originalUrl)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return {
    method,
    path: pathname,
    query: searchParams,
    header: (name) => {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    client: request.socket?.remoteAddress,
    signal: gone.signal,
    body: (maxBytes) => bodyOf(request, maxBytes),
  }
}

async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Uint8Array>) {
    bytes += piece.length
    if (bytes > maxBytes) throw tooLarge(maxBytes)
    pieces.push(piece)
  }
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)
}

/** Resolves when all is handed over, or the connection has ended. A slow reader holds up what is made for it, and nothing else. */
export async function send({ status, headers, body }: Reply, response: ServerResponse): Promise<void> {
  if (response.destroyed) return
  response.writeHead(status, headers)
  if (body === undefined || body instanceof Uint8Array) {
    response.end(body)
    return
  }
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  for await (const piece of body) {
    if (response.destroyed) break
    if (response.write(piece)) continue
    // What is not taken yet stays with the system and one piece here.
    await once(response, 'drain', { signal: gone.signal }).catch(() => {})
  }
  response.end()
}
