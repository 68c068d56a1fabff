/** The consumer of the server that a group is: made, found, sought, removed. */
import { AckPolicy, type ConsumerInfo, DeliverPolicy, JetStreamApiError, ReplayPolicy } from '@nats-io/jetstream'
import { nanos, nuid } from '@nats-io/transport-node'
import { apiCodeOf, requestMs } from '../server/link.js'
import { consumerOf, groupOf } from '../server/names.js'
import type { TopicStream } from '../server/topic-stream.js'

const consumerNotFound = 10014
const streamNotFound = 10059
const consumerExists = 10148
/** Where a group stands was set by somebody: what was acknowledged before says nothing about what comes after. */
const eraKey = 'bookend-era'
/** Messages that all processes together may hold. */
const maxHeld = 100_000

export class ServerGroup {
  readonly stream: TopicStream
  readonly consumer: string
  /** As messages call it. */
  readonly what: string
  readonly #ackWaitMs: number

  constructor(stream: TopicStream, group: string, ackWaitMs: number) {
    this.stream = stream
    this.consumer = consumerOf(group)
    this.what = `group "${group}" of topic "${stream.topic}"`
    this.#ackWaitMs = ackWaitMs
  }

  /** Undefined: it does not exist. */
  async info(): Promise<ConsumerInfo | undefined> {
    const { link, name } = this.stream
    try {
      return await link.trying(this.what, () => link.jsm.consumers.info(name, this.consumer))
    } catch (error) {
      const code = apiCodeOf(error)
      if (code === consumerNotFound || code === streamNotFound) return undefined
      throw error
    }
  }

  async exists(): Promise<boolean> {
    return (await this.info()) !== undefined
  }

  /** Every message below was given to somebody, or is not there any more; or the group is gone. */
  async hasGiven(next: number): Promise<boolean> {
    const info = await this.info()
    if (info === undefined || info.delivered.stream_seq >= next) return true
    return (await this.stream.bounds()).first >= next
  }

  /** Makes it, unless it is there. @param from where it starts then */
  async ensure(from: 'first' | 'next'): Promise<ConsumerInfo> {
    await this.stream.ensure()
    const found = await this.info()
    if (found !== undefined) return found
    const made = await this.#make().catch(async (error) => {
      // Somebody else was quicker.
      if (apiCodeOf(error) !== consumerExists) throw error
      return this.ensure(from)
    })
    if (from === 'first') return made
    const { next } = await this.stream.bounds()
    await this.seek(next, newEra())
    return (await this.info()) ?? made
  }

  #make(): Promise<ConsumerInfo> {
    const { link, name } = this.stream
    return link.trying(this.what, () =>
      link.jsm.consumers.add(name, {
        durable_name: this.consumer,
        // Only a group that begins with the first message can be set to any.
        deliver_policy: DeliverPolicy.All,
        ack_policy: AckPolicy.Explicit,
        replay_policy: ReplayPolicy.Instant,
        ack_wait: nanos(this.#ackWaitMs),
        max_ack_pending: maxHeld,
        max_deliver: -1,
        metadata: { [eraKey]: newEra() },
      }),
    )
  }

  /** Goes on from `to`, with everything below acknowledged and nothing above. @param era a new one */
  async seek(to: number, era: string): Promise<void> {
    const { link, name } = this.stream
    // Before the seek: whoever meets a message again that it had acknowledged finds out by it why.
    await link.trying(this.what, () => link.jsm.consumers.update(name, this.consumer, { metadata: { [eraKey]: era } }))
    await link.trying(this.what, () => link.jsm.consumers.reset(name, this.consumer, to + 1))
  }

  async remove(): Promise<void> {
    const { link, name } = this.stream
    try {
      await link.trying(this.what, () => link.jsm.consumers.delete(name, this.consumer))
    } catch (error) {
      const code = apiCodeOf(error)
      if (code !== consumerNotFound && code !== streamNotFound) throw error
    }
  }
}

export function newEra(): string {
  return nuid.next()
}

interface ConsumersPage {
  readonly total?: number
  readonly consumers?: readonly ConsumerInfo[] | null
  /** Those that did not answer in time. */
  readonly missing?: readonly string[]
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string }
}

/** All groups of a topic: none is left out because its node did not answer, which lists of the client do not tell. */
export async function groupInfos({ link, name, topic }: TopicStream): Promise<ConsumerInfo[]> {
  return link.trying(`listing groups of topic "${topic}"`, async () => {
    const found: ConsumerInfo[] = []
    for (let total = Number.POSITIVE_INFINITY; found.length < total; ) {
      const request = JSON.stringify({ offset: found.length })
      const answer = await link.nc.request(`$JS.API.CONSUMER.LIST.${name}`, request, { timeout: requestMs })
      const page = answer.json<ConsumersPage>()
      if (page.error?.err_code === streamNotFound) return []
      if (page.error !== undefined) throw new JetStreamApiError(page.error)
      if ((page.missing?.length ?? 0) > 0) throw new Error(`no answer for ${page.missing?.join(', ')}`)
      const { consumers } = page
      total = consumers === undefined || consumers === null || consumers.length === 0 ? 0 : (page.total ?? 0)
      found.push(...(consumers ?? []))
    }
    return found.filter((info) => eraOf(info) !== undefined)
  })
}

/** Names of the groups of a topic. */
export async function groupNames(stream: TopicStream): Promise<string[]> {
  return (await groupInfos(stream)).map(({ name }) => groupOf(name)).sort()
}

export function eraOf({ config }: ConsumerInfo): string | undefined {
  return config.metadata?.[eraKey]
}
