/** What is known of a subscription, and the records of which that is made. */
import { type Glob, globOf } from './glob.js'

/** Streams that a subscription names, at most: a pattern says more. */
export const mostNamed = 10_000

/** As a request to create it says, complete. */
export interface SubscriptionConfig {
  readonly type: 'webhook' | 'pull-wake'
  readonly pattern?: string
  /** Topics of the streams that are named, sorted. */
  readonly streams: readonly string[]
  readonly webhook?: { readonly url: string }
  /** Topic of the stream in which it is said that there is something to do. */
  readonly wakeStream?: string
  readonly leaseMs: number
  readonly description?: string
}

/** Its cursor in one stream. */
export interface StreamLink {
  /** Offset behind what is done, as text; `-1`: nothing is. */
  readonly acked: string
  readonly isExplicit: boolean
  readonly isGlob: boolean
}

/** Null: no more. */
export type LinkChange = readonly [topic: string, link: StreamLink | null]

/** One call to work: whoever answers names it, and its generation. */
export interface WakeCall {
  readonly id: string
  /** What a webhook is told: who answers that it is done means that. */
  readonly streams?: readonly StreamInfo[]
  /** The worker that has claimed it. */
  readonly holder?: string
  /** Wall clock: when nobody is believed to work on it any more; none: nobody was told to. */
  readonly leaseEndsAt?: number
}

/** One stream of a subscription, as it is told. */
export interface StreamInfo {
  readonly path: string
  readonly link_type: 'explicit' | 'glob'
  readonly acked_offset: string
  readonly tail_offset: string
  readonly has_pending: boolean
}

/** All but the cursors. */
export interface SubscriptionHead {
  readonly config: SubscriptionConfig
  readonly createdAt: string
  /** URL below which the streams are, as whoever created it has said it. */
  readonly root: string
  /** Rises with each wake. */
  readonly generation: number
  readonly wake?: WakeCall
  /** The delivery of the wake has failed so often, and is tried again then (wall clock). */
  readonly retry?: { readonly attempts: number; readonly at: number }
}

/** What changes at one moment, by id. */
export interface SubscriptionRecord {
  readonly head?: SubscriptionHead
  readonly links?: readonly LinkChange[]
  readonly deleted?: true
}

export class StreamSubscription {
  readonly id: string
  /** What of its streams is linked by their paths. */
  readonly glob: Glob | undefined
  head: SubscriptionHead
  /** By topic. */
  readonly links = new Map<string, StreamLink>()
  /** The end of a lease, or the next attempt. */
  timer: NodeJS.Timeout | undefined

  constructor(id: string, head: SubscriptionHead) {
    const { pattern } = head.config
    this.id = id
    this.glob = pattern === undefined ? undefined : globOf(pattern)
    this.head = head
  }

  get state(): 'idle' | 'woken' | 'held' | 'retrying' {
    const { wake, retry } = this.head
    if (wake === undefined) return 'idle'
    if (retry !== undefined) return 'retrying'
    return wake.holder === undefined ? 'woken' : 'held'
  }

  apply({ head, links = [] }: SubscriptionRecord): void {
    if (head !== undefined) this.head = head
    for (const [topic, link] of links) {
      if (link === null) this.links.delete(topic)
      else this.links.set(topic, link)
    }
  }
}

export function withoutRetry({ retry: _retry, ...head }: SubscriptionHead): SubscriptionHead {
  return head
}

export function withoutWake({ retry: _retry, wake: _wake, ...head }: SubscriptionHead): SubscriptionHead {
  return head
}
