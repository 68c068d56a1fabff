/** A request that changes a stream, as a value that goes from the thread that was asked to the one that answers. */
import { assert } from '../../errors.js'
import { type HttpRequest, tooLarge } from '../exchange.js'
import type { ChangeRequest } from '../server-parts.js'
import type { PassedChange } from './messages.js'

/** What such a request is asked for, wherever it is answered. */
const headerNames = [
  ...['content-type', 'host', 'x-forwarded-proto', 'authorization'],
  ...['stream-closed', 'stream-seq', 'stream-ttl', 'stream-expires-at'],
  ...['producer-id', 'producer-epoch', 'producer-seq'],
  ...['stream-forked-from', 'stream-fork-offset', 'stream-fork-sub-offset'],
]
const known = new Set(headerNames)

/** @throws as `HttpRequest.body` */
export async function passed(
  { topic, control, source, request }: ChangeRequest,
  maxBytes: number,
): Promise<PassedChange> {
  const { method, path, client } = request
  const body = await request.body(maxBytes)
  const headers = headerNames.flatMap((name): [string, string][] => {
    const value = request.header(name)
    return value === undefined ? [] : [[name, value]]
  })
  // What is posted takes all of its memory along, and that of a short body is a part of something larger.
  return { topic, control, source, method, path, client, headers, body: Uint8Array.from(body) }
}

export function received({ topic, control, source, method, path, client, headers, body }: PassedChange): ChangeRequest {
  const values = new Map(headers)
  const request: HttpRequest = {
    method,
    path,
    client,
    query: new URLSearchParams(),
    header: (name) => {
      assert(known.has(name), `header ${name} of a request is not passed on`)
      return values.get(name)
    },
    body: async (maxBytes) => {
      if (body.length > maxBytes) throw tooLarge(maxBytes)
      return body
    },
    // It is answered whoever waits for that: it may have been written.
    signal: new AbortController().signal,
  }
  return { topic, control, source, request }
}
