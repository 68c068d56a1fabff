/** The protocol's own client, of the version that its conformance suite brings along. */
import { createRequire } from 'node:module'

/** What is used of it. */
interface Client {
  DurableStream: { create(options: { url: string; contentType: string }): Promise<StreamHandle> }
  IdempotentProducer: new (
    stream: StreamHandle,
    id: string,
    options: { lingerMs: number; fetch: typeof fetch; onError: (error: Error) => void },
  ) => IdempotentProducer
  stream(options: {
    url: string
    offset: string
    live: 'sse' | 'long-poll'
    json: true
    signal: AbortSignal
    backoffOptions: Backoff
    sseResilience: { logWarnings: false }
  }): Promise<StreamResponse>
  createFetchWithBackoff(inner: typeof fetch, options: Backoff): typeof fetch
}

export interface StreamHandle {
  readonly url: string
}

export interface IdempotentProducer {
  append(body: string): void
  flush(): Promise<void>
}

export interface StreamResponse {
  subscribeJson(subscriber: (batch: Batch) => void): () => void
  readonly closed: Promise<void>
}

export interface Batch {
  readonly items: readonly unknown[]
  readonly offset: string
  readonly streamClosed: boolean
}

interface Backoff {
  initialDelay: number
  maxDelay: number
  multiplier: number
  maxRetries: number
}

export const backoff: Backoff = {
  initialDelay: 20,
  maxDelay: 200,
  multiplier: 1.5,
  maxRetries: Number.POSITIVE_INFINITY,
}

const fromSuite = createRequire(
  createRequire(import.meta.url).resolve('@durable-streams/server-conformance-tests/package.json'),
)

export function loadClient(): Client {
  return fromSuite('@durable-streams/client') as Client
}
