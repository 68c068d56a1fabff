/** Requests and responses of the fetch standard, for frameworks that are made of them. */
import { type HttpRequest, type Reply, tooLarge } from './exchange.js'

export function requestOf(request: Request): HttpRequest {
  const { pathname, searchParams, host } = new URL(request.url)
  return {
    method: request.method,
    path: pathname,
    query: searchParams,
    header: (name) => request.headers.get(name) ?? (name === 'host' ? host : undefined),
    client: undefined,
    signal: request.signal,
    body: (maxBytes) => bodyOf(request, maxBytes),
  }
}

async function bodyOf(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.length
    if (bytes > maxBytes) throw tooLarge(maxBytes)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

export function responseOf({ status, headers, body }: Reply): Response {
  if (body === undefined || body instanceof Uint8Array)
    return new Response((body ?? null) as Uint8Array<ArrayBuffer> | null, { status, headers })
  const pieces = body[Symbol.asyncIterator]()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await pieces.return?.()
    },
  })
  return new Response(stream, { status, headers })
}
