/** What the answers to requests are made with. */
import type { Clocks } from './clocks.js'
import { HttpError, type HttpRequest, type Reply } from './exchange.js'
import type { Followers } from './followers.js'
import type { CompleteServerOptions } from './options.js'
import type { StreamRegistry } from './stream-registry.js'
import type { StreamTopics } from './stream-topics.js'
import type { Streams } from './streams.js'
import type { SubscriptionRequestParts } from './subscriptions/requests.js'

/** A request that changes more of a stream than its messages, or that is about subscriptions; and that is allowed. */
export interface ChangeRequest {
  /** Empty where it is about no stream. */
  readonly topic: string
  /** Path of what else it is about. */
  readonly control?: string | undefined
  /** Topic of the stream that is forked. */
  readonly source: string | undefined
  readonly request: HttpRequest
}

/** What those are answered with, in the thread of the registry. */
export interface ChangeParts {
  readonly registry: StreamRegistry
  readonly followers: Followers
  readonly limits: CompleteServerOptions['limits']
  readonly clocks: Clocks
  /** Undefined: there are none. */
  readonly subscriptions: SubscriptionRequestParts | undefined
}

export class ServerParts {
  readonly streams: Streams
  readonly topics: StreamTopics
  readonly followers: Followers
  readonly clocks: Clocks
  readonly limits: CompleteServerOptions['limits']
  readonly longPollMs: number
  /** Answers it, here or in the thread that has the registry. */
  readonly change: (request: ChangeRequest) => Promise<Reply>

  constructor(
    streams: Streams,
    change: (request: ChangeRequest) => Promise<Reply>,
    followers: Followers,
    clocks: Clocks,
    { limits, longPollMs }: Pick<CompleteServerOptions, 'limits' | 'longPollMs'>,
  ) {
    this.streams = streams
    this.topics = streams.topics
    this.change = change
    this.followers = followers
    this.clocks = clocks
    this.limits = limits
    this.longPollMs = longPollMs
  }

  /** @throws HttpError 503 where too many wait already */
  checkFollowers(): void {
    if (this.followers.count >= this.limits.followers)
      throw new HttpError(503, 'too many requests wait here', { 'retry-after': '1' })
  }
}
