/** A group of a topic on JetStream. */

import type { ConsumerInfo } from '@nats-io/jetstream'
import type {
  EngineGroup,
  EngineLease,
  EngineProcessor,
  ProcessSettings,
  SubscribeOptions,
  Subscription,
} from '../../engine/group-seat.js'
import type { Bounds, GroupInfo, GroupPosition } from '../../engine/terms.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import type { TopicStream } from '../server/topic-stream.js'
import { GroupShare, type ShareHost } from './group-share.js'
import { GroupSeat, type JetStreamSeatHost } from './seat.js'
import { ServerGroup } from './server-group.js'

export interface JetStreamGroupHost extends ShareHost, JetStreamSeatHost {
  readonly processors: GroupProcessors
}

/** What a processor sees of its group. */
export interface ProcessedGroup {
  readonly name: string
  readonly stream: TopicStream
  readonly share: GroupShare
  position(): Promise<GroupPosition>
}

/** The processors of the log. */
export interface GroupProcessors {
  start(group: ProcessedGroup, module: string, settings: ProcessSettings): EngineProcessor
  of(group: ProcessedGroup): GroupInfo['processors']
}

export class JetStreamGroup implements EngineGroup, ProcessedGroup {
  readonly name: string
  readonly share: GroupShare
  readonly stream: TopicStream
  readonly #server: ServerGroup
  readonly #host: JetStreamGroupHost
  #skipped = 0

  constructor(stream: TopicStream, name: string, host: JetStreamGroupHost) {
    this.name = name
    this.stream = stream
    this.#host = host
    this.#server = new ServerGroup(stream, name, host.ackWaitMs)
    this.share = new GroupShare(this.#server, host)
  }

  subscribe<D extends object>(
    make: (record: RecordPlace, lease: EngineLease) => D,
    options: SubscribeOptions,
  ): Subscription<D> {
    return new GroupSeat(this.share, this.#host, make, options)
  }

  filter(): void {
    throw new Error('not supported: nobody asks')
  }

  async position(): Promise<GroupPosition> {
    const info = await this.#server.info()
    const { first, next } = await this.stream.bounds()
    if (info === undefined) return { committed: first, next, lag: next - first, skipped: 0 }
    // Two answers, not of one moment: a group has not acknowledged what is not there, and does not lag by more than what is.
    const committed = Math.min(next, Math.max(first, info.ack_floor.stream_seq))
    const lag = Math.min(next - committed, lagOf(info, { first, next }))
    return { committed, next, lag, skipped: this.#skipped }
  }

  seek(to: number): Promise<void> {
    return this.share.seek(to)
  }

  async remove(): Promise<void> {
    this.#skipped = 0
    await this.share.remove()
  }

  async peek(): Promise<number | undefined> {
    const info = await this.#server.info()
    const { first, next } = await this.stream.bounds()
    if (info !== undefined) await this.share.gather(info.num_ack_pending)
    const lowestAtHand = this.share.peek()?.message.offset
    // What the server has not given to anybody, or else what is here and nobody has.
    const given = info === undefined ? first : Math.max(first, info.delivered.stream_seq)
    const lowest = Math.min(given, lowestAtHand ?? Number.POSITIVE_INFINITY)
    return lowest < next ? lowest : undefined
  }

  isDone(offset: number): boolean {
    return this.share.books.isDone(offset)
  }

  process(module: string, settings: ProcessSettings): EngineProcessor {
    return this.#host.processors.start(this, module, settings)
  }

  /** Undefined: it does not exist. */
  async listed(): Promise<GroupInfo | undefined> {
    const info = await this.#server.info()
    if (info === undefined) return undefined
    const { committed, lag } = await this.position()
    return {
      topic: this.stream.topic,
      name: this.name,
      committed,
      lag,
      consumers: this.share.consumers,
      processors: this.#host.processors.of(this),
    }
  }

  /** Does what deletes messages, and counts those that the group had not acknowledged. */
  async whileTrimming(before: number, trim: () => Promise<void>): Promise<void> {
    const lagBefore = await this.#lag()
    await trim()
    this.share.trimmed(before)
    if (lagBefore !== undefined) this.#skipped += Math.max(0, lagBefore - ((await this.#lag()) ?? lagBefore))
  }

  async #lag(): Promise<number | undefined> {
    const info = await this.#server.info()
    return info && lagOf(info, await this.stream.bounds())
  }
}

/** What was not given to anybody, by where the stream ends: the consumer may be on a node that has not heard of all of it. */
function lagOf({ delivered, num_ack_pending }: ConsumerInfo, { first, next }: Bounds): number {
  return Math.max(0, next - Math.max(first, delivered.stream_seq)) + num_ack_pending
}
