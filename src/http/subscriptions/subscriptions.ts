/** What subscriptions there are, and to which streams: those that they name, and those whose paths their patterns match, whenever they are made. */
import type { Log } from '../../log/log.js'
import type { Clocks } from '../clocks.js'
import { NamedTurns } from '../named-turns.js'
import { offsetText } from '../offsets.js'
import { pathOf } from '../stream-names.js'
import type { RegistryObserver, StreamRegistry } from '../stream-registry.js'
import { matches } from './glob.js'
import { type SigningKey, signingKeyOf } from './secrets.js'
import {
  type LinkChange,
  mostNamed,
  type StreamInfo,
  StreamSubscription,
  type SubscriptionConfig,
  type SubscriptionHead,
} from './subscription.js'
import { SubscriptionError } from './subscription-error.js'
import { SubscriptionStore } from './subscription-store.js'
import { Tails } from './tails.js'
import { type WakeReport, Wakes } from './wakes.js'

export class Subscriptions implements RegistryObserver {
  readonly #registry: StreamRegistry
  readonly #clocks: Clocks
  readonly #maxCount: number
  readonly #store: SubscriptionStore
  readonly #tails: Tails
  readonly #wakes: Wakes
  /** By id: whatever happens to one subscription comes one after the other. */
  readonly #turns = new NamedTurns()
  #loading: Promise<void> | undefined
  #isClosed = false

  constructor(log: Log, registry: StreamRegistry, clocks: Clocks, maxCount: number) {
    this.#registry = registry
    this.#clocks = clocks
    this.#maxCount = maxCount
    const later = (id: string, work: (subscription: StreamSubscription) => Promise<unknown>) => this.#later(id, work)
    const store = new SubscriptionStore(log)
    const streamOf = (topic: string) => registry.at(topic)
    const tails = new Tails(registry.topics, streamOf, (ids) => {
      for (const id of ids) later(id, (subscription) => this.#wakes.wakeIfPending(subscription))
    })
    this.#store = store
    this.#tails = tails
    this.#wakes = new Wakes({ registry, store, tails, clocks, later })
    registry.observer = this
  }

  /** What the log says is known, and goes on. */
  ready(): Promise<void> {
    this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  /** @returns false: it is there, and is the same. @throws SubscriptionError */
  create(id: string, config: SubscriptionConfig, root: string): Promise<boolean> {
    return this.#inTurn(id, async () => {
      const known = this.#store.all.get(id)
      if (known !== undefined) {
        if (JSON.stringify(known.head.config) === JSON.stringify(config)) return false
        const text = 'there is a subscription of that name, with another configuration'
        throw new SubscriptionError('SUBSCRIPTION_ALREADY_EXISTS', text)
      }
      if (this.#store.all.size >= this.#maxCount)
        throw new SubscriptionError('TOO_MANY_SUBSCRIPTIONS', `${this.#maxCount} subscriptions are the most here`)
      const createdAt = new Date(this.#clocks.now()).toISOString()
      const head: SubscriptionHead = { config, root, createdAt, generation: 0 }
      const links = await this.#missing(new StreamSubscription(id, head), 'end')
      await this.#store.write(id, { head, links })
      for (const [topic] of links) this.#tails.follow(topic, id)
      // What has been made meanwhile; from here on that is told.
      const subscription = this.#found(id)
      await this.#relink(subscription, await this.#missing(subscription, 'beginning'))
      return true
    })
  }

  async find(id: string): Promise<StreamSubscription> {
    await this.ready()
    return this.#found(id)
  }

  delete(id: string): Promise<void> {
    return this.#inTurn(id, async () => {
      const subscription = this.#store.all.get(id)
      if (subscription === undefined) return
      await this.#store.write(id, { deleted: true })
      this.#wakes.forget(subscription)
      for (const topic of subscription.links.keys()) this.#tails.leave(topic, id)
    })
  }

  /** Streams that are there begin at their ends. @throws SubscriptionError */
  link(id: string, topics: readonly string[]): Promise<void> {
    return this.#inTurn(id, async () => {
      const subscription = this.#found(id)
      const added: LinkChange[] = []
      for (const topic of topics) {
        const link = subscription.links.get(topic)
        if (link?.isExplicit) continue
        const acked = link?.acked ?? (await this.#endOf(topic))
        added.push([topic, { acked, isExplicit: true, isGlob: link?.isGlob ?? false }])
      }
      const named = [...subscription.links.values()].filter(({ isExplicit }) => isExplicit).length
      if (named + added.length > mostNamed)
        throw new SubscriptionError('INVALID_REQUEST', `a subscription names ${mostNamed} streams at most`)
      await this.#relink(subscription, added)
    })
  }

  /** What a pattern has linked stays. @throws SubscriptionError */
  unlink(id: string, topic: string): Promise<void> {
    return this.#inTurn(id, async () => {
      const subscription = this.#found(id)
      const link = subscription.links.get(topic)
      if (link?.isExplicit)
        await this.#relink(subscription, [[topic, link.isGlob ? { ...link, isExplicit: false } : null]])
    })
  }

  streamsOf(subscription: StreamSubscription): StreamInfo[] {
    return this.#wakes.streamsOf(subscription)
  }

  async signingKey(): Promise<SigningKey> {
    await this.ready()
    return signingKeyOf(await this.#store.secrets())
  }

  /** @throws SubscriptionError */
  claim(id: string, worker: string): Promise<object> {
    return this.#inTurn(id, async () => this.#wakes.claim(this.#found(id), worker))
  }

  /** @returns there is more to do, and a wake for it. @throws SubscriptionError */
  report(id: string, type: SubscriptionConfig['type'], report: WakeReport): Promise<boolean> {
    return this.#inTurn(id, async () => this.#wakes.report(this.#found(id), type, report))
  }

  /** @throws SubscriptionError */
  release(id: string, report: WakeReport): Promise<void> {
    return this.#inTurn(id, async () => this.#wakes.release(this.#found(id), report))
  }

  made(topic: string): void {
    this.#tails.look(topic)
    for (const subscription of this.#store.all.values()) {
      const { id, head } = subscription
      if (head.config.wakeStream === topic) this.#later(id, (now) => this.#wakes.tellAgain(now))
      if (!isMatch(subscription, topic)) continue
      this.#later(id, async (now) => {
        const link = now.links.get(topic)
        if (link?.isGlob || this.#registry.at(topic) === undefined) return
        const { acked = '-1', isExplicit = false } = link ?? {}
        await this.#relink(now, [[topic, { acked, isExplicit, isGlob: true }]])
        await this.#wakes.wakeIfPending(now)
      })
    }
  }

  gone(topic: string): void {
    this.#tails.look(topic)
    for (const { id, links } of this.#store.all.values())
      if (links.get(topic)?.isGlob)
        this.#later(id, async (now) => {
          const link = now.links.get(topic)
          // It may have been made anew meanwhile.
          if (link === undefined || this.#registry.at(topic) !== undefined) return
          await this.#relink(now, [[topic, link.isExplicit ? { ...link, isGlob: false } : null]])
        })
  }

  /** Nothing is told any more; what is known is in the log. */
  close(): void {
    this.#isClosed = true
    this.#registry.observer = undefined
    this.#tails.close()
    this.#wakes.close()
  }

  async #load(): Promise<void> {
    await this.#registry.all()
    await this.#store.load()
    for (const { id, links } of this.#store.all.values()) {
      for (const topic of links.keys()) this.#tails.follow(topic, id)
      this.#later(id, async (subscription) => {
        // What was made or deleted just before the end of the server before this one.
        const left = [...links].filter(([topic, { isGlob }]) => isGlob && this.#registry.at(topic) === undefined)
        const dropped = left.map(
          ([topic, link]): LinkChange => [topic, link.isExplicit ? { ...link, isGlob: false } : null],
        )
        await this.#relink(subscription, [...dropped, ...(await this.#missing(subscription, 'beginning'))])
        await this.#tails.refresh(links.keys())
        await this.#wakes.resume(subscription)
      })
    }
  }

  /** Links that it is to have, and has not. */
  async #missing(subscription: StreamSubscription, from: 'beginning' | 'end'): Promise<LinkChange[]> {
    const { head, links } = subscription
    const named = new Set(head.config.streams)
    const missing: LinkChange[] = []
    for (const { topic } of await this.#registry.all()) {
      if (links.has(topic) || !isMatch(subscription, topic)) continue
      const acked = from === 'end' ? await this.#endOf(topic) : '-1'
      missing.push([topic, { acked, isExplicit: named.delete(topic), isGlob: true }])
    }
    // Those that were taken away later are not named any more.
    if (from === 'beginning') return missing
    for (const topic of named)
      missing.push([topic, { acked: await this.#endOf(topic), isExplicit: true, isGlob: false }])
    return missing
  }

  async #endOf(topic: string): Promise<string> {
    const stream = this.#registry.at(topic)
    return stream === undefined ? '-1' : offsetText(stream, await this.#registry.topics.endOf(stream))
  }

  async #relink({ id, links }: StreamSubscription, changes: readonly LinkChange[]): Promise<void> {
    if (changes.length === 0) return
    const before = new Set(links.keys())
    await this.#store.write(id, { links: changes })
    for (const [topic, link] of changes) {
      if (link === null) this.#tails.leave(topic, id)
      else if (!before.has(topic)) this.#tails.follow(topic, id)
    }
  }

  /** @throws SubscriptionError */
  #found(id: string): StreamSubscription {
    const subscription = this.#store.all.get(id)
    if (subscription === undefined)
      throw new SubscriptionError('SUBSCRIPTION_NOT_FOUND', 'there is no such subscription')
    return subscription
  }

  async #inTurn<R>(id: string, work: () => Promise<R>): Promise<R> {
    await this.ready()
    return this.#turns.take(id, work)
  }

  /** What fails is met again by the next who asks, or by the next server. */
  #later(id: string, work: (subscription: StreamSubscription) => Promise<unknown>): void {
    const mine = this.#turns.take(id, async () => {
      const subscription = this.#store.all.get(id)
      if (subscription !== undefined && !this.#isClosed) await work(subscription)
    })
    mine.catch(() => {})
  }
}

/** Nobody is woken by his own wakes. */
function isMatch({ glob, head }: StreamSubscription, topic: string): boolean {
  return glob !== undefined && head.config.wakeStream !== topic && matches(glob, pathOf(topic))
}
