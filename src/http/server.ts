/** Streams over HTTP, from the log: what is asked of which stream, by whom, and what every answer has. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MessageChannel } from 'node:worker_threads'
import { BookendError } from '../errors.js'
import type { Log } from '../log/log.js'
import { append } from './append-request.js'
import { answerChange } from './change-request.js'
import { ClientRates } from './client-rates.js'
import type { Clocks } from './clocks.js'
import { asHttpError } from './error-replies.js'
import { failed, HttpError, type HttpRequest, type Reply } from './exchange.js'
import * as fetchAdapter from './fetch-adapter.js'
import { Followers } from './followers.js'
import * as nodeAdapter from './node-adapter.js'
import { offsetText } from './offsets.js'
import { type AuthorizeRequest, type CompleteServerOptions, completeOptions, type ServerOptions } from './options.js'
import { headersOf, placeOf, read } from './read-request.js'
import { type ChangeParts, ServerParts } from './server-parts.js'
import { topicOf } from './stream-names.js'
import { StreamRegistry } from './stream-registry.js'
import type { StreamState } from './stream-state.js'
import { controlPrefix, needsNoLeave, type SubscriptionRequestParts } from './subscriptions/requests.js'
import { Subscriptions } from './subscriptions/subscriptions.js'
import type { StreamsPort } from './threads/messages.js'
import { ServedThread } from './threads/served-thread.js'
import { StreamCopies } from './threads/stream-copies.js'

/** Durable Streams from a log. */
export interface StreamServer extends AsyncDisposable {
  /** For `node:http`, `node:https`, Express, and whatever else calls with request and response. */
  handler(request: IncomingMessage, response: ServerResponse): void
  /** For frameworks that are made of `Request` and `Response`. */
  fetch(request: Request): Promise<Response>
  /**
   * A way to the streams of this server for one other thread of the process, which gives it to its own `createServer` as `streams`. Send it in `workerData` or a message, with its
   * `ports` as the transfer list; ask for one for each thread. What is known of streams stays here: this server has to be open as long as the others are.
   * @throws TypeError where the streams are those of another server itself: ask that one
   */
  port(): StreamsPort
  /** Ends all waiting, each with where to go on, and lets what is under way come to its end. The log stays open. */
  close(): Promise<void>
}

const actions: Readonly<Record<string, AuthorizeRequest['action']>> = {
  ...{ PUT: 'create', POST: 'append', GET: 'read', HEAD: 'read', DELETE: 'delete' },
}
const allowed = 'GET, HEAD, POST, PUT, DELETE, OPTIONS'
const requestHeaders =
  'content-type, authorization, if-none-match, stream-seq, stream-ttl, stream-expires-at, stream-closed, producer-id, producer-epoch, producer-seq'
const exposedHeaders =
  'stream-next-offset, stream-cursor, stream-up-to-date, stream-closed, stream-ttl, stream-expires-at, stream-sse-data-encoding, producer-epoch, producer-seq, producer-expected-seq, producer-received-seq, etag, location, retry-after'
const ownHeaders = { 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' }
const notStored = { 'cache-control': 'no-store' }
const refusedHeaders = { ...ownHeaders, ...notStored }
const sweepMs = 60_000

/**
 * @throws TypeError, RangeError for bad options; `BOOKEND_UNSUPPORTED` for a log without transactions
 */
export function createServer(log: Log, options: ServerOptions = {}): StreamServer {
  const complete = completeOptions(options)
  if (!log.supports.transactions)
    throw new BookendError(
      'BOOKEND_UNSUPPORTED',
      `the log at ${log.directory} has no transactions, which createServer() needs`,
    )
  return new LogServer(log, complete)
}

class LogServer implements StreamServer {
  readonly #options: CompleteServerOptions
  readonly #parts: ServerParts
  readonly #rates: ClientRates
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #ends: (() => void)[] = []
  readonly #changeParts: ChangeParts | undefined
  #isClosed = false

  constructor(log: Log, options: CompleteServerOptions) {
    const clocks = { now: () => Date.now(), nowMs: () => performance.now() }
    const { limits, port } = options
    const followers = new Followers()
    this.#options = options
    this.#rates = new ClientRates(limits.requestsPerSecond, clocks.nowMs)
    if (port !== undefined) {
      const tell = (topic: string) => followers.tell(topic)
      const copies = new StreamCopies({ log, port, clocks, maxBodyBytes: limits.bodyBytes, tell })
      this.#parts = new ServerParts(copies, (change) => copies.change(change), followers, clocks, options)
      this.#ends.push(() => copies.close())
      return
    }
    const registry = new StreamRegistry(log, clocks)
    const parts = {
      registry,
      followers,
      limits,
      clocks,
      subscriptions: subscriptionsOf(log, registry, clocks, options),
    }
    this.#changeParts = parts
    this.#ends.push(() => parts.subscriptions?.subscriptions.close())
    this.#parts = new ServerParts(registry, (change) => answerChange(parts, change), followers, clocks, options)
    // What fails there fails again where somebody hears of it.
    const sweeper = setInterval(() => void registry.sweep().catch(() => {}), sweepMs).unref()
    this.#ends.push(() => clearInterval(sweeper))
  }

  port(): StreamsPort {
    if (this.#changeParts === undefined)
      throw new TypeError('the streams are those of a server in another thread: ask that one for ports')
    const { port1, port2 } = new MessageChannel()
    const thread = new ServedThread(port1, this.#changeParts)
    this.#ends.push(() => thread.close())
    return { ports: [port2] }
  }

  readonly handler = (request: IncomingMessage, response: ServerResponse): void => {
    const asked = nodeAdapter.requestOf(request, response)
    const reply =
      asked === undefined ? Promise.resolve(failed(new HttpError(400, 'the URL is none'))) : this.#reply(asked)
    this.#track(
      reply
        .then((found) => nodeAdapter.send(found, response))
        .catch(() => {
          // The connection, or what a body is made of, has failed in the middle: nothing can be said any more.
          response.destroy()
        }),
    )
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const gone = new AbortController()
    return fetchAdapter.responseOf(await this.#track(this.#reply(fetchAdapter.requestOf(request, gone.signal))), gone)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#parts.followers.end()
    await Promise.allSettled(this.#underWay)
    for (const end of this.#ends.splice(0)) end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #track<R>(work: Promise<R>): Promise<R> {
    const settled = work.then(
      () => {},
      () => {},
    )
    this.#underWay.add(settled)
    void settled.then(() => this.#underWay.delete(settled))
    return work
  }

  async #reply(request: HttpRequest): Promise<Reply> {
    let reply: Reply
    try {
      reply = await this.#answer(request)
    } catch (error) {
      reply = failed(asHttpError(error))
    }
    return {
      status: reply.status,
      headers: { ...this.#headersOfAll(request, reply.status), ...reply.headers },
      body: request.method === 'HEAD' ? undefined : reply.body,
    }
  }

  #headersOfAll(request: HttpRequest, status: number): Record<string, string> {
    if (this.#options.cors === undefined) return status < 400 ? ownHeaders : refusedHeaders
    const headers = { ...ownHeaders, 'cross-origin-resource-policy': 'cross-origin' }
    return { ...headers, ...(status >= 400 && notStored), ...this.#corsHeaders(request) }
  }

  async #answer(request: HttpRequest): Promise<Reply> {
    const { method } = request
    if (this.#isClosed) throw new HttpError(503, 'the server is about to end', { 'retry-after': '1' })
    if (!this.#rates.take(request.client)) throw new HttpError(429, 'too many requests', { 'retry-after': '1' })
    const { basePath, cors } = this.#options
    if (!request.path.startsWith(`${basePath}/`)) throw new HttpError(404, 'there are no streams here')
    if (method === 'OPTIONS' && cors !== undefined) return { status: 204, headers: {} }
    const action = Object.hasOwn(actions, method) ? actions[method] : undefined
    if (action === undefined) throw new HttpError(405, 'a stream has no such method', { allow: allowed })
    if (action !== 'read' && this.#isForeign(request))
      throw new HttpError(403, 'pages of other origins may not write here')
    if (action !== 'read' && (request.header('content-encoding') ?? 'identity') !== 'identity')
      throw new HttpError(415, 'a body is taken as it is: without a Content-Encoding')
    const path = request.path.slice(basePath.length + 1)
    if (path.split('/', 1)[0] === controlPrefix) {
      if (!needsNoLeave(path)) await this.#checkAllowed('subscribe', path, '', request)
      return this.#parts.change({ topic: '', control: path, source: undefined, request })
    }
    const topic = topicOf(path)
    await this.#checkAllowed(action, path, topic, request)
    if (method === 'POST') return append(this.#parts, topic, request)
    if (action === 'create' || action === 'delete')
      return this.#parts.change({
        topic,
        source: action === 'create' ? await this.#sourceOf(request) : undefined,
        request,
      })
    const { streams, topics } = this.#parts
    const stream = await streams.find(topic, method === 'GET')
    if (stream === undefined) throw new HttpError(404, 'there is no such stream')
    if (method === 'GET') return read(this.#parts, stream, request)
    return headOf(stream, await topics.endOf(stream))
  }

  /** Topic of the stream that a fork is made from: who makes one reads that. @throws HttpError 404, and what {@link #checkAllowed} throws */
  async #sourceOf(request: HttpRequest): Promise<string | undefined> {
    const named = request.header('stream-forked-from')
    if (named === undefined) return undefined
    const { basePath } = this.#options
    if (!named.startsWith(`${basePath}/`)) throw new HttpError(404, 'there is no such source')
    const path = named.slice(basePath.length + 1)
    const topic = topicOf(path)
    await this.#checkAllowed('read', path, topic, request)
    return topic
  }

  async #checkAllowed(
    action: AuthorizeRequest['action'],
    path: string,
    topic: string,
    { header, client }: HttpRequest,
  ): Promise<void> {
    const { authorize } = this.#options
    const verdict = authorize === undefined ? true : await authorize({ action, path, topic, header, client })
    if (verdict === true) return
    // Anything but a clear yes is a no.
    const status = typeof verdict === 'number' && verdict >= 400 && verdict < 500 ? verdict : 403
    throw new HttpError(status, 'that is not allowed')
  }

  /** Browsers send some requests of any page without asking first. */
  #isForeign(request: HttpRequest): boolean {
    const { cors } = this.#options
    const origin = request.header('origin')
    if (origin === undefined || cors === '*' || cors?.includes(origin)) return false
    return !URL.canParse(origin) || new URL(origin).host !== request.header('host')
  }

  #corsHeaders(request: HttpRequest): Record<string, string> {
    const { cors } = this.#options
    const origin = request.header('origin')
    if (cors === undefined || origin === undefined) return {}
    const isListed = cors === '*' || cors.includes(origin)
    const vary: Record<string, string> = cors === '*' ? {} : { vary: 'origin' }
    if (!isListed) return vary
    return {
      ...vary,
      'access-control-allow-origin': cors === '*' ? '*' : origin,
      'access-control-expose-headers': exposedHeaders,
      ...(request.method === 'OPTIONS' && {
        'access-control-allow-methods': allowed,
        'access-control-allow-headers': requestHeaders,
        'access-control-max-age': '600',
      }),
    }
  }
}

function subscriptionsOf(
  log: Log,
  registry: StreamRegistry,
  clocks: Clocks,
  { subscriptions: kind, limits }: CompleteServerOptions,
): SubscriptionRequestParts | undefined {
  if (kind === 'off') return undefined
  const subscriptions = new Subscriptions(log, registry, clocks, limits.subscriptions)
  // Whoever was to be woken is, though nobody asks. What fails there fails again where somebody hears of it.
  subscriptions.ready().catch(() => {})
  const targets = kind === 'pull-wake' ? undefined : kind === 'webhooks' ? 'public' : 'local'
  return { subscriptions, targets, maxBodyBytes: limits.bodyBytes }
}

function headOf(stream: StreamState, end: number): Reply {
  const { ttlSeconds, expiresAt } = stream.config
  const headers = {
    ...headersOf(stream),
    ...placeOf(stream, end, true),
    etag: `"${offsetText(stream, stream.start)}:${offsetText(stream, end)}${stream.isEnded ? ':c' : ''}"`,
    ...(ttlSeconds !== undefined && { 'stream-ttl': String(ttlSeconds) }),
    ...(expiresAt !== undefined && { 'stream-expires-at': expiresAt }),
    'cache-control': 'no-store',
  }
  return { status: 200, headers }
}
