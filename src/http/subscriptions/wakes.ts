/**
 * Wakes: when there is something to do one is written, and told; whoever works says how far he is, until he is done or his lease ends. The states and what may follow what are in the README.
 *
 * Whatever happens to one subscription comes one after the other (the caller's turns), and is in the log before it is told: a wake that is sent has a generation that no other has, and a
 * cursor that was acknowledged stays where it is.
 */
import { randomBytes } from 'node:crypto'
import type { Transaction } from '../../log/transaction.js'
import type { Clocks } from '../clocks.js'
import { isOffset } from '../offsets.js'
import { pathOf } from '../stream-names.js'
import type { StreamRegistry } from '../stream-registry.js'
import { placeIn, signatureOf, tokenOf } from './secrets.js'
import {
  type LinkChange,
  type StreamInfo,
  type StreamLink,
  type StreamSubscription,
  type SubscriptionConfig,
  type SubscriptionHead,
  type WakeCall,
  withoutRetry,
  withoutWake,
} from './subscription.js'
import { SubscriptionError } from './subscription-error.js'
import type { SubscriptionStore } from './subscription-store.js'
import type { Tails } from './tails.js'
import { post, type WebhookAnswer } from './webhook.js'

/** What whoever was woken says. */
export interface WakeReport {
  readonly token: string
  readonly wakeId: unknown
  readonly generation: unknown
  /** By topic. */
  readonly acks: readonly (readonly [topic: string, offset: string])[]
  readonly isDone: boolean
}

export interface WakesParts {
  readonly registry: StreamRegistry
  readonly store: SubscriptionStore
  readonly tails: Tails
  readonly clocks: Clocks
  /** In the turn of the subscription; what fails there is met again by who asks for it. */
  later(id: string, work: (subscription: StreamSubscription) => Promise<unknown>): void
}

/** Streams in one wake. The others have theirs when it is done. */
const mostStreams = 1_000
const leastRetryMs = 1_000
const mostRetryMs = 60_000
const retryJitter = 0.2
const encoder = new TextEncoder()

export class Wakes {
  readonly #parts: WakesParts
  /** Requests to webhooks that are not answered yet, by subscription. */
  readonly #deliveries = new Map<string, AbortController>()
  #isClosed = false

  constructor(parts: WakesParts) {
    this.#parts = parts
  }

  /** Goes on where the log says that it stands. */
  async resume(subscription: StreamSubscription): Promise<void> {
    if (subscription.state === 'idle') await this.wakeIfPending(subscription)
    else this.#arm(subscription)
  }

  /** Nothing is told any more. */
  forget(subscription: StreamSubscription): void {
    clearTimeout(subscription.timer)
    this.#deliveries.get(subscription.id)?.abort()
  }

  close(): void {
    this.#isClosed = true
    for (const subscription of this.#parts.store.all.values()) this.forget(subscription)
  }

  /** What is known of where streams end decides. */
  async wakeIfPending(subscription: StreamSubscription): Promise<void> {
    if (subscription.state === 'idle' && this.#pendingOf(subscription).length > 0) await this.#wake(subscription, [])
  }

  /** The stream in which it is told has been made: it is told there again. */
  async tellAgain(subscription: StreamSubscription): Promise<void> {
    const { id, state, head } = subscription
    const [first] = this.#pendingOf(subscription)
    if (state === 'woken' && first !== undefined)
      await this.#parts.store.write(id, { head }, this.#telling(id, head, first.path))
  }

  streamsOf({ links }: StreamSubscription): StreamInfo[] {
    return Array.from(links, ([topic, link]) => this.#infoOf(topic, link))
  }

  async claim(subscription: StreamSubscription, worker: string): Promise<object> {
    const { id, head, state } = subscription
    const { config, wake } = head
    if (config.type !== 'pull-wake')
      throw new SubscriptionError('INVALID_REQUEST', 'a webhook is told by itself, and not claimed')
    if (state === 'held') {
      const more = { current_holder: wake?.holder, generation: head.generation }
      throw new SubscriptionError('ALREADY_CLAIMED', 'another worker has claimed it', more)
    }
    await this.#parts.tails.refresh(subscription.links.keys())
    const streams = this.#pendingOf(subscription)
    if (streams.length === 0) throw new SubscriptionError('NO_PENDING_WORK', 'there is nothing to do')
    const generation = wake === undefined ? head.generation + 1 : head.generation
    const claimed = { ...(wake ?? newWake()), holder: worker, leaseEndsAt: this.#leaseEnd(config) }
    const secrets = await this.#parts.store.secrets()
    await this.#change(subscription, { ...head, generation, wake: claimed })
    const token = tokenOf(secrets, { subscription: id, generation }, this.#parts.clocks.now())
    return { wake_id: claimed.id, generation, token, streams, lease_ttl_ms: config.leaseMs }
  }

  /** @returns there is more to do, and a wake for it */
  async report(
    subscription: StreamSubscription,
    type: SubscriptionConfig['type'],
    report: WakeReport,
  ): Promise<boolean> {
    const wake = await this.#checked(subscription, type, report)
    const links = await this.#acked(subscription, report.acks)
    if (report.isDone) return this.#next(subscription, links)
    const { head } = subscription
    const held = { ...wake, leaseEndsAt: this.#leaseEnd(head.config) }
    await this.#change(subscription, { ...withoutRetry(head), wake: held }, links)
    return false
  }

  async release(subscription: StreamSubscription, report: WakeReport): Promise<void> {
    await this.#checked(subscription, 'pull-wake', report)
    await this.#next(subscription, [])
  }

  async #checked(
    subscription: StreamSubscription,
    type: SubscriptionConfig['type'],
    report: WakeReport,
  ): Promise<WakeCall> {
    const { id, head } = subscription
    if (head.config.type !== type)
      throw new SubscriptionError('INVALID_REQUEST', `the subscription is of type ${head.config.type}`)
    const place = placeIn(await this.#parts.store.secrets(), report.token, this.#parts.clocks.now())
    if (place?.subscription !== id) throw new SubscriptionError('TOKEN_INVALID', 'the token is none, or too old')
    const { generation, wake } = head
    const isCurrent = place.generation === generation && report.generation === generation
    if (!isCurrent || wake === undefined || report.wakeId !== wake.id)
      throw new SubscriptionError('FENCED', 'the wake is over')
    return wake
  }

  /** @throws SubscriptionError for cursors that would go back, or beyond what is there: none is changed then */
  async #acked({ links }: StreamSubscription, acks: WakeReport['acks']): Promise<LinkChange[]> {
    const { tails } = this.#parts
    await tails.refresh(acks.map(([topic]) => topic))
    return acks.map(([topic, offset]) => {
      const link = links.get(topic)
      if (!link) throw new SubscriptionError('INVALID_OFFSET', 'a stream that is not of the subscription')
      const { tail } = tails.of(topic, link.acked)
      if (!isOffset(offset) || offset < link.acked || offset > tail)
        throw new SubscriptionError('INVALID_OFFSET', 'an offset that lies before the cursor, or behind the end')
      return [topic, { ...link, acked: offset }]
    })
  }

  /** This wake is over. @returns there is another one */
  async #next(subscription: StreamSubscription, links: readonly LinkChange[]): Promise<boolean> {
    await this.#parts.tails.refresh(subscription.links.keys())
    if (this.#pendingOf(subscription, links).length > 0) {
      await this.#wake(subscription, links)
      return true
    }
    await this.#change(subscription, withoutWake(subscription.head), links)
    return false
  }

  /** @param links changes that come with it */
  async #wake(subscription: StreamSubscription, links: readonly LinkChange[]): Promise<void> {
    const { id, head } = subscription
    const { config } = head
    const pending = this.#pendingOf(subscription, links)
    const isWebhook = config.type === 'webhook'
    const wake = {
      ...newWake(),
      ...(isWebhook && { streams: pending, leaseEndsAt: this.#leaseEnd(config) }),
    }
    const next = { ...withoutWake(head), generation: head.generation + 1, wake }
    await this.#change(subscription, next, links, isWebhook ? undefined : this.#telling(id, next, pending[0].path))
    if (isWebhook) void this.#deliver(subscription)
  }

  async #change(
    subscription: StreamSubscription,
    head: SubscriptionHead,
    links: readonly LinkChange[] = [],
    also?: (tx: Transaction) => void,
  ): Promise<void> {
    await this.#parts.store.write(subscription.id, { head, links }, also)
    this.#arm(subscription)
  }

  /** Writes in the stream of the configuration, if there is one that is open, that there is something to do. */
  #telling(id: string, { config, generation }: SubscriptionHead, path: string): (tx: Transaction) => void {
    const { registry, clocks } = this.#parts
    return (tx) => {
      const stream = config.wakeStream === undefined ? undefined : registry.at(config.wakeStream)
      if (stream === undefined || stream.closed !== undefined) return
      const event = { type: 'wake', subscription_id: id, stream: path, generation, ts: clocks.now() }
      const line = `${JSON.stringify(event)}${stream.isJson ? '' : '\n'}`
      tx.append(registry.topics.topic(stream.topic), encoder.encode(line))
    }
  }

  /** What comes by itself: the end of a lease, or the next attempt. */
  #arm(subscription: StreamSubscription): void {
    clearTimeout(subscription.timer)
    const { id, head } = subscription
    const at = head.retry?.at ?? head.wake?.leaseEndsAt
    if (at === undefined || this.#isClosed) return
    const due = async (now: StreamSubscription) => {
      // It may have been lengthened, or be over, before its turn came.
      if (now.head !== head) return
      if (head.retry === undefined) await this.#next(now, [])
      else void this.#deliver(now)
    }
    const ms = Math.max(0, at - this.#parts.clocks.now())
    subscription.timer = setTimeout(() => this.#parts.later(id, due), ms).unref()
  }

  async #deliver(subscription: StreamSubscription): Promise<void> {
    const { id, head } = subscription
    const { config, root, generation, wake } = head
    if (wake === undefined || config.webhook === undefined || this.#isClosed) return
    // Of one before it nobody waits for an answer any more.
    this.#deliveries.get(id)?.abort()
    const delivery = new AbortController()
    this.#deliveries.set(id, delivery)
    let answer: WebhookAnswer | undefined
    try {
      const secrets = await this.#parts.store.secrets()
      const now = this.#parts.clocks.now()
      const body = JSON.stringify({
        ...{ subscription_id: id, wake_id: wake.id, generation, streams: wake.streams },
        callback_url: `${root}/__ds/subscriptions/${encodeURIComponent(id)}/callback`,
        callback_token: tokenOf(secrets, { subscription: id, generation }, now),
      })
      const headers = { 'webhook-signature': signatureOf(secrets, body, now) }
      answer = await post(config.webhook.url, body, headers, delivery.signal)
    } catch {
      // Whatever it is, it is tried again.
    }
    if (this.#deliveries.get(id) === delivery) this.#deliveries.delete(id)
    if (delivery.signal.aborted) return
    this.#parts.later(id, async (now) => {
      if (now.head.wake?.id === wake.id) await this.#answered(now, wake, answer)
    })
  }

  async #answered(subscription: StreamSubscription, wake: WakeCall, answer: WebhookAnswer | undefined): Promise<void> {
    const { head } = subscription
    if (answer === undefined || answer.status < 200 || answer.status > 299) {
      const attempts = (head.retry?.attempts ?? 0) + 1
      const at = this.#parts.clocks.now() + retryMs(attempts)
      await this.#change(subscription, { ...head, retry: { attempts, at } })
      return
    }
    if (answer.isDone) {
      const told = new Map(wake.streams?.map(({ path, tail_offset }) => [path, tail_offset]))
      const links = Array.from(subscription.links).flatMap(([topic, link]): LinkChange[] => {
        const acked = told.get(pathOf(topic))
        return acked === undefined || acked < link.acked ? [] : [[topic, { ...link, acked }]]
      })
      await this.#next(subscription, links)
    } else if (head.retry !== undefined) {
      // Its lease begins now.
      const held = { ...wake, leaseEndsAt: this.#leaseEnd(head.config) }
      await this.#change(subscription, { ...withoutRetry(head), wake: held })
    }
  }

  #pendingOf({ links }: StreamSubscription, changed: readonly LinkChange[] = []): StreamInfo[] {
    const changes = new Map(changed)
    const pending: StreamInfo[] = []
    for (const [topic, link] of links) {
      const info = this.#infoOf(topic, changes.get(topic) ?? link)
      if (info.has_pending && pending.push(info) >= mostStreams) break
    }
    return pending
  }

  #infoOf(topic: string, { acked, isExplicit }: StreamLink): StreamInfo {
    const { tail, isPending } = this.#parts.tails.of(topic, acked)
    return {
      path: pathOf(topic),
      link_type: isExplicit ? 'explicit' : 'glob',
      ...{ acked_offset: acked, tail_offset: tail, has_pending: isPending },
    }
  }

  #leaseEnd({ leaseMs }: SubscriptionConfig): number {
    return this.#parts.clocks.now() + leaseMs
  }
}

function newWake(): WakeCall {
  return { id: `w_${randomBytes(12).toString('hex')}` }
}

function retryMs(attempts: number): number {
  const ms = Math.min(mostRetryMs, leastRetryMs * 2 ** (attempts - 1))
  return ms * (1 + retryJitter * (2 * Math.random() - 1))
}
