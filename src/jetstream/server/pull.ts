/**
 * Asking a consumer of the server for messages, so many at a time. The server sends a sign of life every second while it owes any; where it is
 * silent for longer, or says that it cannot, the pull is lost, and whoever owns it makes another: nobody waits for what does not come.
 */
import { createInbox, type Msg, type NatsConnection, nanos, type Subscription } from '@nats-io/transport-node'
import type { Link } from './link.js'

export interface PullOwner {
  onMessage(message: Msg): void
  /** Some of what was asked for is not owed any more: who still wants it asks again. */
  onExpired(): void
  /** It is over. @param isGone the consumer does not exist any more, by what the server says */
  onLost(isGone: boolean): void
}

const heartbeatMs = 1_000
const silenceMs = 3 * heartbeatMs
const expiresMs = 30_000
/** Nothing there for a request that does not wait; the request's time is over; it was ended, and `description` says why. */
const status = { heartbeat: 100, nothing: 404, expired: 408, ended: 409 } as const
const pendingHeader = 'Nats-Pending-Messages'

export class Pull {
  readonly #nc: NatsConnection
  readonly #link: Link
  readonly #requestSubject: string
  readonly #maxMessageBytes: number
  /** Of one request: what is on its way, or has come, and nobody has taken yet. */
  #maxBytes = 1 << 20
  readonly #inbox = createInbox()
  readonly #subscription: Subscription
  #owner: PullOwner | undefined
  #isEnding = false
  /** Messages that were asked for and have not come. */
  #asked = 0
  /** A message, since something was asked for. */
  #hasCome = false
  #heardMs = performance.now()
  readonly #watch: NodeJS.Timeout
  /** Who wants to know whether there is something at this moment. */
  readonly #probes: ((isThere: boolean | undefined) => void)[] = []

  constructor(link: Link, stream: string, consumer: string, maxMessageBytes: number, owner: PullOwner) {
    this.#nc = link.nc
    this.#link = link
    this.#owner = owner
    this.#requestSubject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`
    this.#maxMessageBytes = maxMessageBytes
    this.#subscription = this.#nc.subscribe(this.#inbox, { callback: (_, message) => this.#receive(message) })
    this.#watch = setInterval(() => this.#look(), heartbeatMs)
    this.#watch.unref()
    link.onUp.add(this.#lose)
  }

  get asked(): number {
    return this.#asked
  }

  /** The server owes so many more. */
  ask(count: number): void {
    if (this.#owner === undefined || this.#isEnding) return
    if (this.#asked === 0) this.#heardMs = performance.now()
    this.#asked += count
    this.#hasCome = false
    this.#request({
      batch: count,
      max_bytes: this.#maxBytes,
      expires: nanos(expiresMs),
      idle_heartbeat: nanos(heartbeatMs),
    })
  }

  /** Whether there is a message at this moment: the owner has it before this resolves to true. Undefined: the pull was lost. */
  probe(): Promise<boolean | undefined> {
    if (this.#owner === undefined) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#probes.push(resolve)
      this.#heardMs = performance.now()
      this.#asked += 1
      this.#request({ batch: 1, no_wait: true })
    })
  }

  /**
   * Nothing more is asked for, and the server gives nothing more: what it had sent before it heard of that has come to the owner when this
   * resolves. The connection must be up.
   */
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#subscription.drain().catch(() => {})
    this.close()
  }

  /** What comes after it comes to nobody. */
  close(): void {
    if (this.#owner === undefined) return
    this.#owner = undefined
    clearInterval(this.#watch)
    this.#link.onUp.delete(this.#lose)
    this.#subscription.unsubscribe()
    for (const resolve of this.#probes.splice(0)) resolve(undefined)
  }

  #request(request: object): void {
    // A connection that has ended says so by its silence as well.
    if (!this.#nc.isClosed()) this.#nc.publish(this.#requestSubject, JSON.stringify(request), { reply: this.#inbox })
  }

  #receive(message: Msg): void {
    this.#heardMs = performance.now()
    const { headers } = message
    // Messages have a subject for their acknowledgement, or none of a status.
    if (headers !== undefined && headers.code > 0 && message.data.length === 0) {
      this.#hear(headers.code, message)
      return
    }
    if (this.#asked > 0) this.#asked -= 1
    this.#hasCome = true
    this.#owner?.onMessage(message)
    this.#probes.shift()?.(true)
  }

  #hear(code: number, { headers }: Msg): void {
    const pending = Number(headers?.get(pendingHeader))
    if (code === status.heartbeat) return
    if (code === status.expired) this.#give(pending)
    else if (code === status.ended) this.#hearEnd(headers?.description.toLowerCase() ?? '', pending)
    else if (code === status.nothing) {
      if (this.#asked > 0) this.#asked -= 1
      this.#probes.shift()?.(false)
    } else this.#lose()
  }

  #hearEnd(why: string, pending: number): void {
    // All of a request that had a limit of bytes has come.
    if (why.includes('batch completed')) return
    if (why.includes('maxbytes')) {
      // The next one does not fit any more. If none did, it is longer than that: as much as any has, with what comes with it.
      if (!this.#hasCome) this.#maxBytes = Math.max(this.#maxBytes, 2 * this.#maxMessageBytes)
      this.#give(pending)
    } else this.#loseFor(why.includes('consumer deleted') || why.includes('stream deleted'))
  }

  /** The server owes no longer what it has said. */
  #give(count: number): void {
    this.#asked = Math.max(0, this.#asked - (Number.isInteger(count) && count > 0 ? count : this.#asked))
    this.#owner?.onExpired()
  }

  #look(): void {
    if (this.#asked > 0 && performance.now() - this.#heardMs > silenceMs) this.#lose()
  }

  readonly #lose = (): void => this.#loseFor(false)

  #loseFor(isGone: boolean): void {
    const owner = this.#owner
    this.close()
    owner?.onLost(isGone)
  }
}
