/**
 * `bookend/http`: an open log over HTTP, by the Durable Streams protocol: see `docs/http.md`.
 * @module bookend/http
 */
export type { AuthorizeRequest, ServerLimits, ServerOptions } from './options.js'
export { createServer, type StreamServer } from './server.js'
export type { StreamsPort } from './threads/messages.js'
