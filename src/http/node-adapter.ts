/**
 * Requests of `node:http`, and of what calls with the same two objects. Made of what nearly every request needs; a signal and the query are made for who asks for them: most requests end before
 * anybody does, and their signals, fired behind each answer, took as long as the answers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpError, type HttpRequest, type Reply, tooLarge } from './exchange.js'

/** Nothing but a path is looked at: who the request says that it is for does not matter. */
const anyHost = 'http://host'
/** What a URL's path is as it stands. */
const plainPath = /^(?:\/[\w-]+)+$/
const nothing = new Uint8Array(0)

/** Undefined: its URL is none. */
export function requestOf(request: IncomingMessage, response: ServerResponse): HttpRequest | undefined {
  // Express takes the mount point off `url`, and keeps it here.
  const { url = '/', originalUrl = url } = request as IncomingMessage & { originalUrl?: string }
  if (plainPath.test(originalUrl)) return new NodeRequest(request, response, originalUrl, '')
  if (!originalUrl.startsWith('/') || !URL.canParse(anyHost + originalUrl)) return undefined
  const { pathname, search } = new URL(anyHost + originalUrl)
  return new NodeRequest(request, response, pathname, search)
}

class NodeRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly client: string | undefined
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #search: string
  #query: URLSearchParams | undefined
  #signal: AbortSignal | undefined

  constructor(request: IncomingMessage, response: ServerResponse, path: string, search: string) {
    this.method = request.method ?? 'GET'
    this.path = path
    this.client = request.socket?.remoteAddress
    this.#request = request
    this.#response = response
    this.#search = search
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#search)
    return this.#query
  }

  get signal(): AbortSignal {
    this.#signal ??= endOf(this.#response)
    return this.#signal
  }

  readonly header = (name: string): string | undefined => {
    const value = this.#request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  body(maxBytes: number): Promise<Uint8Array> {
    return bodyOf(this.#request, maxBytes)
  }
}

function endOf(response: ServerResponse): AbortSignal {
  if (response.destroyed) return AbortSignal.abort()
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return gone.signal
}

/** By events: iterating costs several times as much as all of a short body. */
function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes))
  // Whatever stands in front of this has read it.
  if (request.readableEnded) return Promise.resolve(nothing)
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = []
    let bytes = 0
    const onData = (piece: Uint8Array) => {
      bytes += piece.length
      if (bytes > maxBytes) {
        // What is still to come goes to nobody.
        request.off('data', onData).resume()
        reject(tooLarge(maxBytes))
      } else pieces.push(piece)
    }
    const onGone = () => reject(new HttpError(400, 'the request ends in the middle'))
    const onEnd = () => {
      request.off('error', onGone).off('close', onGone)
      resolve(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces))
    }
    request.on('data', onData).once('end', onEnd).once('error', onGone).once('close', onGone)
    if (request.destroyed) onGone()
  })
}

/** Resolves when all is handed over, or the connection has ended. A slow reader holds up what is made for it, and nothing else. */
export async function send({ status, headers, body }: Reply, response: ServerResponse): Promise<void> {
  if (response.destroyed) return
  if (body === undefined || body instanceof Uint8Array) {
    // Node counts by itself only where the head is not told before; what it knows to have no body gets no length.
    const isBare = body === undefined && (status === 204 || status === 304 || response.req.method === 'HEAD')
    response.writeHead(status, isBare ? headers : { ...headers, 'content-length': String(body?.length ?? 0) })
    response.end(body)
    return
  }
  response.writeHead(status, headers)
  for await (const piece of body) {
    if (response.destroyed) break
    await written(response, piece)
  }
  response.end()
}

/** Resolves when the system has it, or never will: until then its memory must not be used for anything else. */
function written(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('close', settle)
      resolve()
    }
    response.once('close', settle)
    response.write(piece, settle)
  })
}
