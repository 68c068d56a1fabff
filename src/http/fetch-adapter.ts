/** Requests and responses of the fetch standard, for frameworks that are made of them. */
import { type HttpRequest, type Reply, tooLarge } from './exchange.js'

/** @param gone fires when the response is not read any more */
export function requestOf(request: Request, gone: AbortSignal): HttpRequest {
  const { pathname, searchParams, host } = new URL(request.url)
  return {
    method: request.method,
    path: pathname,
    query: searchParams,
    header: (name) => request.headers.get(name) ?? (name === 'host' ? host : undefined),
    client: undefined,
    signal: AbortSignal.any([request.signal, gone]),
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

/** @param gone aborted when nobody reads the response any more */
export function responseOf({ status, headers, body }: Reply, gone: AbortController): Response {
  if (body === undefined || body instanceof Uint8Array)
    return new Response((body ?? null) as Uint8Array<ArrayBuffer> | null, { status, headers })
  const pieces = body[Symbol.asyncIterator]()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      // Whoever reads the stream has it for as long as he likes.
      else controller.enqueue(value.slice())
    },
    async cancel() {
      // First: what makes the next piece may be waiting for something to happen.
      gone.abort()
      await pieces.return?.()
    },
  })
  return new Response(stream, { status, headers })
}
