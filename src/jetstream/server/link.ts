/**
 * The connection to the servers: one for each open log, which comes back by itself for as long as the log is open, and the way in which
 * everything that may be tried again is tried again.
 *
 * The client reconnects, for ever. Should it give up after all (it does where the servers refuse it), the watchdog here makes a new
 * connection: so `nc` is asked for anew at each attempt, and whoever holds a subscription is told by `onUp` that it may be gone. A node that is
 * there and gets no answer may be cut off from the others without knowing: then the connection moves on to the next.
 */
import { JetStreamApiError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { AuthorizationError, connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import { BookendError } from '../../errors.js'
import { closedError } from '../../failures.js'
import type { LinkEvents } from './link-events.js'

export interface LinkOptions {
  readonly servers: readonly string[]
  readonly client: object
  readonly giveUpMs: number
  /** For messages to people. */
  readonly place: string
}

/** `up <-> down`, and from both to `closed`. */
type Stage = 'up' | 'down' | 'closed'

/** How long one request may take before it is tried again. */
export const requestMs = 3_000
const longestPauseMs = 1_000
/** Where a connection gets no answer for so long, another node is asked. An election takes four to nine seconds. */
const silentMs = 10_000
/**
 * Refusals that pass: too few nodes of a cluster that is starting; the first part of a batch went to a leader that is gone; a consumer is
 * offline; an earlier try of the same message is on its way to the other nodes.
 */
const passing: ReadonlySet<number> = new Set([10005, 10176, 10119, 10158])
/** Failures that do not: storage is full, JetStream is not there, replicas without a cluster. */
const lasting: ReadonlySet<number> = new Set([10077, 10047, 10023, 10039, 10076, 10074])
const tooManyRequests = 429

export class Link {
  readonly place: string
  readonly giveUpMs: number
  /** Told whenever the connection is there again: what was asked for before may be lost. */
  readonly onUp = new Set<() => void>()
  /** Attempts after the first one. */
  retries = 0
  /** Which connection this is: counts how often it was there anew. What was sent in an earlier one may be lost. */
  era = 0
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  #nc: NatsConnection
  #jsm: JetStreamManager
  #stage: Stage = 'up'
  #movedMs = Number.NEGATIVE_INFINITY
  /** Whoever waits for an answer. */
  readonly #whenDown = new Set<() => void>()
  /** Who waits for the connection, or for the end of a pause. */
  readonly #sleepers = new Set<() => void>()

  private constructor(options: LinkOptions, events: LinkEvents, nc: NatsConnection, jsm: JetStreamManager) {
    this.place = options.place
    this.giveUpMs = options.giveUpMs
    this.#options = options
    this.#events = events
    this.#nc = nc
    this.#jsm = jsm
    this.#watch(nc)
  }

  /** @throws `BOOKEND_DISCONNECTED` if nobody answers for `giveUpMs`, or refuses */
  static async open(options: LinkOptions, events: LinkEvents): Promise<Link> {
    const untilMs = performance.now() + options.giveUpMs
    for (;;) {
      try {
        const nc = await connection(options)
        return new Link(options, events, nc, await managerOf(nc))
      } catch (cause) {
        if (isRefusal(cause) || performance.now() >= untilMs) throw disconnectedError(options, 'open', cause)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** Of this moment: ask again after every wait. */
  get nc(): NatsConnection {
    return this.#nc
  }

  get jsm(): JetStreamManager {
    return this.#jsm
  }

  get isUp(): boolean {
    return this.#stage === 'up'
  }

  /**
   * Does something until it succeeds, once the connection is there.
   * @param what for the message of the error
   * @param work must be harmless when it is done twice, at the same time as well: where the connection is lost nobody waits for what was under way.
   *   What it throws is tried again where the servers may answer otherwise later
   * @throws what no further attempt would change; `BOOKEND_DISCONNECTED` after `giveUpMs`; `BOOKEND_CLOSED`
   */
  async trying<T>(what: string, work: (attempt: number) => Promise<T>): Promise<T> {
    const fromMs = performance.now()
    const untilMs = fromMs + this.giveUpMs
    for (let attempt = 0; ; attempt++) {
      let failure: unknown
      await this.#whenUp(untilMs)
      this.#checkOpen()
      if (this.isUp) {
        try {
          return await this.#whileUp(work(attempt))
        } catch (error) {
          if (isFinal(error)) throw error
          failure = error
          if (!(error instanceof JetStreamApiError)) this.#moveOn(fromMs)
        }
      }
      this.#checkOpen()
      if (performance.now() >= untilMs) throw disconnectedError(this.#options, what, failure)
      this.retries += 1
      await this.#pause(Math.min(longestPauseMs, 20 * 2 ** attempt))
    }
  }

  /** For good. Whoever is trying something fails. */
  async close(): Promise<void> {
    if (this.#stage === 'closed') return
    this.#stage = 'closed'
    this.#wake()
    await this.#nc.close()
  }

  #checkOpen(): void {
    if (this.#stage === 'closed') throw closedError(this.place)
  }

  async #watch(nc: NatsConnection): Promise<void> {
    void this.#restore(nc)
    for await (const { type } of nc.status()) {
      if (type === 'disconnect') this.#goDown()
      else if (type === 'reconnect') this.#comeUp()
    }
  }

  /** The watchdog: a connection that has ended without being asked to is replaced by a new one. */
  async #restore(ended: NatsConnection): Promise<void> {
    const reason = await ended.closed()
    this.#goDown()
    while (this.#stage === 'down') {
      try {
        const nc = await connection(this.#options)
        // It may have been closed meanwhile, by who could not know of this one.
        if ((this.#stage as Stage) === 'closed') return await nc.close()
        this.#jsm = await managerOf(nc)
        this.#nc = nc
        void this.#watch(nc)
        this.#comeUp()
        return
      } catch (error) {
        this.#events.note('the connection cannot be made anew', error ?? reason)
        await this.#pause(longestPauseMs)
      }
    }
  }

  /** @param silentSince nobody has answered since then, although there is a connection */
  #moveOn(silentSince: number): void {
    const nowMs = performance.now()
    if (this.#options.servers.length === 1 || nowMs - Math.max(silentSince, this.#movedMs) < silentMs) return
    this.#movedMs = nowMs
    // One that has ended meanwhile is the watchdog's.
    this.#nc.reconnect().catch(() => {})
  }

  #goDown(): void {
    if (this.#stage !== 'up') return
    this.#stage = 'down'
    this.#events.down()
    for (const tell of [...this.#whenDown]) tell()
  }

  #comeUp(): void {
    if (this.#stage !== 'down') return
    this.#stage = 'up'
    this.era += 1
    this.#events.up()
    this.#wake()
    for (const tell of [...this.onUp]) tell()
  }

  #wake(): void {
    for (const look of [...this.#sleepers]) look()
  }

  /** @throws what the work does; that the connection is lost, at once: what was asked is not answered any more */
  #whileUp<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const down = () => reject(new Error('the connection was lost'))
      const end = () => this.#whenDown.delete(down)
      this.#whenDown.add(down)
      work.then(resolve, reject)
      work.then(end, end)
    })
  }

  #whenUp(untilMs: number): Promise<void> {
    if (this.#stage !== 'down') return Promise.resolve()
    return this.#sleep(Math.max(0, untilMs - performance.now()), () => this.#stage !== 'down')
  }

  /** Ends early when the log closes. */
  #pause(ms: number): Promise<void> {
    return this.#sleep(ms, () => this.#stage === 'closed')
  }

  #sleep(ms: number, isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#sleepers.delete(look)
        resolve()
      }
      const look = () => {
        if (isOver()) end()
      }
      const timer = setTimeout(end, ms)
      this.#sleepers.add(look)
    })
  }
}

function connection({ servers, client }: LinkOptions): Promise<NatsConnection> {
  return connect({
    reconnectTimeWait: 100,
    timeout: 5_000,
    pingInterval: 5_000,
    maxPingOut: 2,
    ...client,
    servers: [...servers],
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
  })
}

function managerOf(nc: NatsConnection): Promise<JetStreamManager> {
  // Whether JetStream is there is found out by the first call, which is tried again.
  return jetstreamManager(nc, { timeout: requestMs, checkAPI: false })
}

function isRefusal(error: unknown): boolean {
  return error instanceof AuthorizationError || error instanceof PermissionViolationError
}

/** Would end the same way whenever it is tried. */
function isFinal(error: unknown): boolean {
  if (error instanceof BookendError || error instanceof TypeError || error instanceof RangeError) return true
  if (!(error instanceof JetStreamApiError)) return isRefusal(error)
  const { code, status } = error
  if (status >= 400 && status < 500) return status !== tooManyRequests && !passing.has(code)
  return lasting.has(code)
}

function disconnectedError({ place, giveUpMs }: LinkOptions, what: string, cause: unknown): BookendError {
  const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : 'no connection'
  const message = isRefusal(cause)
    ? `the servers at ${place} refuse ${what} (${why}): check user, token or credentials`
    : `the servers at ${place} did not answer for ${giveUpMs} ms (${what}; the last was ${why}): what was under way may have been done`
  return new BookendError('BOOKEND_DISCONNECTED', message, { cause })
}

/** The number by which the server tells one of its errors from others; undefined: it was none of its. */
export function apiCodeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined
}
