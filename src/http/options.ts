/** Options of a server, checked and complete. */
import { MessagePort } from 'node:worker_threads'
import { maxTimerMs } from '../limits.js'
import { checkInteger, checkKeys, checkSpan } from '../log/validate.js'
import type { StreamsPort } from './threads/messages.js'

/** What is asked of {@link ServerOptions.authorize}. */
export interface AuthorizeRequest {
  /** What is to be done with the stream. */
  readonly action: 'create' | 'append' | 'read' | 'delete' | 'subscribe'
  /** Path of the stream, or of the subscription, below the base path, as it was sent. */
  readonly path: string
  /** Name of the topic; empty for `subscribe`. */
  readonly topic: string
  /** Value of a header, by its name in small letters. */
  header(name: string): string | undefined
  /** Address of whoever asks; undefined through `fetch`. */
  readonly client: string | undefined
}

/** Bounds of what requests may take. What is beyond is refused: 413, 429, 503. */
export interface ServerLimits {
  /** Of a request, bytes; 8 MiB unless said. Never more than the log takes as one message, and for JSON as one segment. */
  bodyBytes?: number
  /** Of a request: elements of a JSON array, each of which is one; 100,000 unless said. */
  messages?: number
  /**
   * After about so many a response ends, and says where to go on, bytes; 16 MiB unless said. A single message may be longer. Up to 256 KiB it is exact; behind that it goes by the length
   * of the messages there. It is read as it is taken: a connection holds about 1 MiB of it, however slow it is.
   */
  responseBytes?: number
  /** Streams there may be; 100,000 unless said. */
  streams?: number
  /**
   * Of a stream: those that are known; 1,000 unless said, 10,000 at most. A new one beyond takes the place of the one that has not written for longest, if that is seven days or more, and is refused
   * otherwise.
   */
  producers?: number
  /** Requests that wait for what comes, at the same time; 50,000 unless said. */
  followers?: number
  /** Subscriptions there may be; 1,000 unless said. */
  subscriptions?: number
  /** Requests of one client a second, as an average over ten; no bound unless said. Clients are told apart by their addresses. */
  requestsPerSecond?: number
  /** After so long an event stream ends, and the client comes again, ms; 60,000 unless said. */
  sseMs?: number
}

/** How a server answers. */
export interface ServerOptions {
  /**
   * Asked before anything else is done: `false` is answered with 403, a number with that status (401, 403, 404). Unless given everybody may do everything.
   */
  authorize?: (request: AuthorizeRequest) => boolean | number | Promise<boolean | number>
  /** Origins whose pages may use the server: `'*'`, or a list. None unless said. */
  cors?: '*' | readonly string[]
  /** What requests may take; each has a default. */
  limits?: ServerLimits
  /** How long a request waits for what comes, ms; 30,000 unless said. */
  longPollMs?: number
  /**
   * What `port()` of another server has given, in the thread that it was sent to: the streams of that server, which keeps what is known of them, are served here too. The log is the same,
   * connected to in this thread.
   */
  streams?: StreamsPort
  /**
   * Whether others may subscribe to streams: `'pull-wake'`, and are told in a stream; `'webhooks'`, also by requests of this server to public addresses over TLS, which they name;
   * `'local-webhooks'`, and to this machine: for development. Not unless said.
   */
  subscriptions?: 'off' | 'pull-wake' | 'webhooks' | 'local-webhooks'
  /** Path below which the streams are, such as `/streams`; all paths unless said. */
  basePath?: string
}

export interface CompleteServerOptions
  extends Required<Omit<ServerOptions, 'authorize' | 'cors' | 'limits' | 'streams'>> {
  authorize: ServerOptions['authorize']
  cors: ServerOptions['cors']
  /** Undefined: this server keeps what is known of its streams. */
  port: MessagePort | undefined
  limits: Required<ServerLimits>
}

const defaults: Required<ServerLimits> = {
  bodyBytes: 8 << 20,
  messages: 100_000,
  responseBytes: 16 << 20,
  streams: 100_000,
  producers: 1_000,
  followers: 50_000,
  subscriptions: 1_000,
  requestsPerSecond: Number.POSITIVE_INFINITY,
  sseMs: 60_000,
}

/** What is known of them is written as one message now and then: with the longest names that is 6 MiB. */
const mostProducers = 10_000

const known: Record<keyof ServerOptions, true> = {
  ...{
    authorize: true,
    cors: true,
    limits: true,
    longPollMs: true,
    basePath: true,
    streams: true,
    subscriptions: true,
  },
}
const subscribing = ['off', 'pull-wake', 'webhooks', 'local-webhooks'] as const

/** @throws TypeError, RangeError */
export function completeOptions(options: ServerOptions): CompleteServerOptions {
  checkKeys('createServer()', options, Object.keys(known))
  const { authorize, cors, limits = {}, longPollMs = 30_000, basePath = '', subscriptions = 'off' } = options
  if (authorize !== undefined && typeof authorize !== 'function') throw new TypeError('authorize is a function')
  if (cors !== undefined && cors !== '*' && !isOrigins(cors)) throw new TypeError("cors is '*' or an array of origins")
  if (typeof basePath !== 'string') throw new TypeError('basePath is a string')
  if (basePath !== '' && !/^(\/[^/?#]+)+$/.test(basePath))
    throw new RangeError(
      `basePath begins with a slash, and does not end with one, as "/streams"; not ${JSON.stringify(basePath)}`,
    )
  if (!subscribing.includes(subscriptions)) throw new TypeError(`subscriptions is one of ${subscribing.join(', ')}`)
  if (subscriptions !== 'off' && options.streams !== undefined)
    throw new TypeError('subscriptions is an option of the server that keeps the streams')
  checkKeys('limits', limits, Object.keys(defaults))
  const all = { ...defaults, ...limits }
  const most = Number.MAX_SAFE_INTEGER
  for (const name of ['bodyBytes', 'messages', 'responseBytes', 'streams', 'followers', 'subscriptions'] as const)
    checkInteger(name, all[name], 1, most)
  checkInteger('producers', all.producers, 1, mostProducers)
  if (all.requestsPerSecond !== Number.POSITIVE_INFINITY)
    checkSpan('requestsPerSecond', all.requestsPerSecond, 0.001, most)
  checkSpan('sseMs', all.sseMs, 1, maxTimerMs)
  checkSpan('longPollMs', longPollMs, 0, maxTimerMs)
  const port = options.streams && portIn(options.streams)
  return { authorize, cors, limits: all, longPollMs, basePath, subscriptions, port }
}

function isOrigins(cors: unknown): boolean {
  return Array.isArray(cors) && cors.every((origin) => typeof origin === 'string')
}

const used = new WeakSet<MessagePort>()

function portIn(given: StreamsPort): MessagePort {
  const [port] = Array.isArray(given?.ports) ? given.ports : []
  if (!(port instanceof MessagePort))
    throw new TypeError(
      'streams is what port() of a server has given, in the thread that it was sent to: as workerData or in a message, with its ports as the transferList',
    )
  if (used.has(port)) throw new TypeError('streams is in use by a server already: ask port() for one for each')
  used.add(port)
  return port
}
