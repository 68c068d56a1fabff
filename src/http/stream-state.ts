/**
 * What the server knows of a stream beside its messages, and the records of which that is made, in the order in which they were written.
 *
 * A message has a **position** in its stream: its offset in the topic; in a fork, which begins with messages of its source that stand in their own places, what was
 * appended to the fork goes on from where it was forked.
 *
 * ```
 *   source   start ......... at ...........       topic of the source, from `first`
 *   fork     start ......... at - - - - -         topic of the fork, from `first`
 * ```
 */
import type { StreamPart } from './parts.js'

/** As a request to create it says. */
export interface StreamConfig {
  readonly contentType: string
  /** Seconds without a read or a write after which the stream is gone. */
  readonly ttlSeconds?: number
  /** As it was given. */
  readonly expiresAt?: string
}

/** Where a fork leaves its source. */
export interface ForkPoint {
  /** Topic of the source. */
  readonly source: string
  /** Position in front of which everything is the source's. */
  readonly at: number
  /** Position at which everything begins. */
  readonly start: number
  /** As it was asked for: the part of the message at `at` that was copied, or the number of messages behind the offset. */
  readonly anchor: number
  readonly sub: number
}

/** How far a producer has come. */
export interface ProducerPlace {
  readonly epoch: number
  readonly seq: number
}

export interface KnownProducer extends ProducerPlace {
  /** Wall clock: when it wrote last. */
  readonly at: number
}

/** What changes with a write. */
export interface StreamChange {
  readonly producer?: ProducerPlace & { readonly id: string }
  /** The producer that is known no more, for this one. */
  readonly forgotten?: string
  /** The last `Stream-Seq`. */
  readonly seq?: string
  readonly closed?: true
}

/** A record of the registry, by the name of the topic. */
export type StreamRecord =
  | {
      readonly created: StreamConfig
      readonly first: number
      readonly fork?: ForkPoint | undefined
      readonly change?: StreamChange | undefined
    }
  | { readonly changed: StreamChange }
  | { readonly deleted: true }
  /** One with a time to live was read or written. */
  | { readonly used: true }
  /** Deleted, but forks still read it. */
  | { readonly hidden: true }
  /** All of it, in place of what came before. */
  | { readonly state: StoredState }

export interface StoredState extends StreamConfig {
  readonly first: number
  readonly fork?: ForkPoint | undefined
  readonly isHidden?: boolean
  readonly closed?: ClosedBy | undefined
  readonly seq?: string | undefined
  /** In the order in which they wrote last. */
  readonly producers: readonly [string, ProducerPlace & { readonly at?: number }][]
  /** Wall clock: when it was last read or written. */
  readonly usedAt?: number | undefined
}

/** The same, with nothing left out. */
export interface MadeState extends StoredState {
  readonly producers: readonly [string, KnownProducer][]
}

/** Whoever closes again with the same number has done so before. */
interface ClosedBy {
  readonly by?: (ProducerPlace & { readonly id: string }) | undefined
}

export class StreamState {
  readonly topic: string
  readonly config: StreamConfig
  /** Offset of its first message: what was in the topic before is of a stream that is deleted. */
  readonly first: number
  readonly fork: ForkPoint | undefined
  /** It is deleted, and kept for its forks. */
  isHidden: boolean
  /** Streams that are forked from it. */
  forks = 0
  /** For who writes: a close that is on its way counts. */
  closed: ClosedBy | undefined
  /** For who reads: the close is in the log, with all that comes before it. */
  isEnded: boolean
  seq: string | undefined
  /** In the order in which they wrote last. */
  readonly producers: Map<string, KnownProducer>
  /** By the clock of the thread, ms: when it was last read or written, if it has a time to live, and of when the log says so. */
  usedMs = 0
  recordedMs = 0
  /** Of those that were read last, on average; undefined: none was. */
  messageBytes: number | undefined
  /** Parts that are being read. */
  readonly reading = new Map<string, Promise<StreamPart>>()
  /** The last write that changes more than messages: who finds its number known waits for it. */
  writing: Promise<unknown> = Promise.resolve()

  constructor(
    topic: string,
    { first, fork, isHidden = false, closed, seq, producers, usedAt: _usedAt, ...config }: MadeState,
  ) {
    this.topic = topic
    this.config = config
    this.first = first
    this.fork = fork
    this.isHidden = isHidden
    this.closed = closed
    this.isEnded = closed !== undefined
    this.seq = seq
    this.producers = new Map(producers)
  }

  /** Position of the first message. */
  get start(): number {
    return this.fork?.start ?? this.first
  }

  /** Position of a message of its own topic. */
  positionOf(offset: number): number {
    return this.fork === undefined ? offset : this.fork.at + (offset - this.first)
  }

  /** Where that is in its own topic. */
  offsetOf(position: number): number {
    return this.fork === undefined ? position : this.first + (position - this.fork.at)
  }

  /** Media type without parameters, in small letters. */
  get mediaType(): string {
    return mediaTypeOf(this.config.contentType)
  }

  get isJson(): boolean {
    return this.mediaType === 'application/json'
  }

  /** @param at wall clock: when that is written */
  apply({ producer, forgotten, seq, closed }: StreamChange, at: number): void {
    if (forgotten !== undefined) this.producers.delete(forgotten)
    if (producer !== undefined) {
      // Behind all others, wherever it stood.
      this.producers.delete(producer.id)
      this.producers.set(producer.id, { epoch: producer.epoch, seq: producer.seq, at })
    }
    if (seq !== undefined) this.seq = seq
    if (closed === true) this.closed = { by: producer }
  }

  /** @param nowMs by the clock of the thread @param now wall clock */
  isOver(nowMs: number, now: number): boolean {
    const { ttlSeconds, expiresAt } = this.config
    if (ttlSeconds !== undefined && nowMs - this.usedMs >= ttlSeconds * 1_000) return true
    return expiresAt !== undefined && Date.parse(expiresAt) <= now
  }

  /** What other threads are told of it. */
  copied(): MadeState {
    return { ...this.stored(0), seq: undefined, producers: [] }
  }

  /** @param usedAt wall clock: when it was last read or written */
  stored(usedAt: number): StoredState {
    const { config, first, fork, isHidden, closed, seq, producers } = this
    const used = config.ttlSeconds === undefined ? undefined : usedAt
    return { ...config, first, fork, isHidden, closed, seq, producers: [...producers], usedAt: used }
  }
}

export function mediaTypeOf(contentType: string): string {
  return contentType.split(';')[0].trim().toLowerCase()
}

/** It is that stream still, and not another one that was made in its place. */
export function isSame(stream: StreamState, now: StreamState | undefined): now is StreamState {
  return now?.first === stream.first
}
