/**
 * Asking a consumer of the server for messages, so many at a time. The server sends a sign of life every second while it owes any; where it is
 * silent for longer, or says that it cannot, the pull is lost, and whoever owns it makes another: nobody waits for what does not come.
 */
import { createInbox, type Msg, type NatsConnection, nanos, type Subscription } from '@nats-io/transport-node'
import type { Link } from './link.js'
import { Probe } from './probe.js'
import { status, statusOf } from './pull-status.js'

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
  readonly #probes = new Set<Probe>()

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

  /** The server owes so many, what probes may bring not counted. */
  get asked(): number {
    return this.#asked
  }

  /** That many more. */
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
  async probe(): Promise<boolean | undefined> {
    if (this.#owner === undefined || this.#isEnding) return undefined
    const probe = new Probe(this.#nc, this.#requestSubject, {
      onMessage: (message) => this.#owner?.onMessage(message),
      onRefused: (message) => this.#refused(message),
    })
    this.#probes.add(probe)
    const isThere = await probe.answer
    this.#probes.delete(probe)
    return isThere
  }

  /**
   * Nothing more is asked for, and the server gives nothing more: what it had sent before it heard of that has come to the owner when this
   * resolves. The connection must be up.
   */
  async end(): Promise<void> {
    this.#isEnding = true
    const probes = [...this.#probes]
    await Promise.all([this.#subscription.drain().catch(() => {}), ...probes.map((probe) => probe.drain())])
    this.close()
  }

  /** What comes after it comes to nobody. */
  close(): void {
    if (this.#owner === undefined) return
    this.#owner = undefined
    clearInterval(this.#watch)
    this.#link.onUp.delete(this.#lose)
    this.#subscription.unsubscribe()
    for (const probe of this.#probes) probe.end()
  }

  #request(request: object): void {
    // A connection that has ended says so by its silence as well.
    if (!this.#nc.isClosed()) this.#nc.publish(this.#requestSubject, JSON.stringify(request), { reply: this.#inbox })
  }

  #receive(message: Msg): void {
    this.#heardMs = performance.now()
    const code = statusOf(message)
    if (code === undefined) {
      if (this.#asked > 0) this.#asked -= 1
      this.#hasCome = true
      this.#owner?.onMessage(message)
    } else if (code === status.expired) this.#give(pendingOf(message))
    else if (code !== status.heartbeat) this.#refused(message)
  }

  #refused(message: Msg): void {
    const { headers } = message
    const why = headers?.code === status.ended ? headers.description.toLowerCase() : ''
    // All of a request that had a limit of bytes has come.
    if (why.includes('batch completed')) return
    if (why.includes('maxbytes')) {
      // The next one does not fit any more. If none did, it is longer than that: as much as any has, with what comes with it.
      if (!this.#hasCome) this.#maxBytes = Math.max(this.#maxBytes, 2 * this.#maxMessageBytes)
      this.#give(pendingOf(message))
    } else this.#loseFor(why.includes('consumer deleted') || why.includes('stream deleted'))
  }

  /** The server owes no longer what it has said. */
  #give(count: number): void {
    this.#asked = Math.max(0, this.#asked - (Number.isInteger(count) && count > 0 ? count : this.#asked))
    this.#owner?.onExpired()
  }

  #look(): void {
    const beforeMs = performance.now() - silenceMs
    const isSilent = this.#asked > 0 && this.#heardMs < beforeMs
    if (isSilent || [...this.#probes].some(({ askedMs }) => askedMs < beforeMs)) this.#lose()
  }

  readonly #lose = (): void => this.#loseFor(false)

  #loseFor(isGone: boolean): void {
    const owner = this.#owner
    this.close()
    owner?.onLost(isGone)
  }
}

/** Of what a request has asked for, so much does not come any more. NaN: it was not said. */
function pendingOf({ headers }: Msg): number {
  return Number(headers?.get(pendingHeader))
}
