/** What the answers to requests are made with. */
import { HttpError } from './exchange.js'
import type { Followers } from './followers.js'
import type { CompleteServerOptions } from './options.js'
import type { Clocks, StreamRegistry } from './stream-registry.js'

export class ServerParts {
  readonly registry: StreamRegistry
  readonly followers: Followers
  readonly clocks: Clocks
  readonly limits: CompleteServerOptions['limits']
  readonly longPollMs: number

  constructor(
    registry: StreamRegistry,
    followers: Followers,
    clocks: Clocks,
    { limits, longPollMs }: Pick<CompleteServerOptions, 'limits' | 'longPollMs'>,
  ) {
    this.registry = registry
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
