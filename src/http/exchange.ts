/** A request and its answer, whatever server they come through: the adapters turn those of `node:http` and of fetch into these. */

/** What may be asked of a request before its body is read. */
export interface RequestHead {
  readonly method: string
  /** Path of the URL, as it was sent, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** Value of a header, by its name in small letters; undefined: there is none. */
  header(name: string): string | undefined
  /** Who asks, as far as it is known: an address. */
  readonly client: string | undefined
}

export interface HttpRequest extends RequestHead {
  /** All of the body. @throws HttpError 413 beyond so many bytes */
  body(maxBytes: number): Promise<Uint8Array>
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** One that is iterated is asked for more when what it gave has been taken: its memory may be used again for that. */
export type ReplyBody = Uint8Array | AsyncIterable<Uint8Array>

export interface Reply {
  readonly status: number
  readonly headers: Record<string, string>
  /** Undefined: none. */
  readonly body?: ReplyBody | undefined
}

/** A request that is answered with an error. */
export class HttpError extends Error {
  readonly status: number
  readonly headers: Record<string, string>

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

const encoder = new TextEncoder()

export function failed({ status, message, headers }: HttpError): Reply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: encoder.encode(message) }
}

/** The connection is not closed by it: who is still sending would be told of a broken connection, and not of this. */
export function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `a request has at most ${maxBytes} bytes here`)
}
