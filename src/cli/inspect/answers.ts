/** Requests and answers of the inspector as it needs them. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BookendError } from '../../errors.js'
import { Failure } from '../failure.js'
import type { Refusal } from './api.js'

/** Something that the asker did wrong, with the status that says so. */
export class BadRequest extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const maxBodyBytes = 64 << 10

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  response.end(JSON.stringify(value))
}

export function sendError(response: ServerResponse, error: unknown): void {
  const refusal: Refusal = { error: error instanceof Error ? error.message : String(error) }
  if (error instanceof BookendError) refusal.code = error.code
  // A stream has begun: its end is all that can be said.
  if (response.headersSent) response.end()
  else sendJson(response, refusal, statusOf(error))
}

function statusOf(error: unknown): number {
  if (error instanceof BadRequest) return error.status
  if (error instanceof RangeError || error instanceof TypeError) return 400
  if (error instanceof Failure) return 404
  if (error instanceof BookendError) return error.code === 'BOOKEND_LOCKED' ? 409 : 500
  return 500
}

/** Events as they come, until the asker goes away. */
export class EventStream {
  readonly #response: ServerResponse
  readonly #gone = new AbortController()

  constructor(response: ServerResponse) {
    this.#response = response
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.on('close', () => this.#gone.abort())
  }

  /** Fires when nobody listens any more. */
  get signal(): AbortSignal {
    return this.#gone.signal
  }

  /** True: what was sent before has not gone out yet; more of the same would only pile up. */
  get isBehind(): boolean {
    return this.#response.writableNeedDrain
  }

  send(event: string, value: unknown): void {
    if (!this.#gone.signal.aborted) this.#response.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`)
  }

  end(): void {
    this.#response.end()
  }
}

/** @throws BadRequest if it is no JSON object, or longer than any that the page sends */
export async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? ''))
    throw new BadRequest(415, 'the body must be application/json')
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > maxBodyBytes) throw new BadRequest(413, `the body is longer than ${maxBodyBytes} bytes`)
    parts.push(part)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  throw new BadRequest(400, 'the body is no JSON object')
}
