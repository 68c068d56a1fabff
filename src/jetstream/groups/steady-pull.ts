/**
 * A pull of a group that is made anew where one is lost, as long as the group is there.
 *
 * ```
 * closed -> pulling <-> lost       pulling, lost -> closed: nobody wants messages any more; the group is gone
 * ```
 */
import type { Msg } from '@nats-io/transport-node'
import { Pull } from '../server/pull.js'
import type { ServerGroup } from './server-group.js'

/** What a pull needs of its log. */
export interface PullHost {
  readonly maxMessageBytes: number
  readonly isOpen: boolean
  /** Met where nobody waits for it. */
  onError(what: string, error: unknown): void
}

export interface SteadyPullOwner {
  onMessage(message: Msg): void
  /** Less is owed than was asked for: who still wants it asks again. */
  onExpired(): void
  /** The group does not exist any more. */
  onGone(): void
}

type State = { readonly stage: 'pulling'; readonly pull: Pull } | { readonly stage: 'lost' | 'closed' }

const closed: State = { stage: 'closed' }
const retryMs = 1_000

export class SteadyPull {
  readonly #server: ServerGroup
  readonly #host: PullHost
  readonly #owner: SteadyPullOwner
  #state: State = closed

  constructor(server: ServerGroup, host: PullHost, owner: SteadyPullOwner) {
    this.#server = server
    this.#host = host
    this.#owner = owner
  }

  /** The server owes so many more. */
  get asked(): number {
    return this.#pull?.asked ?? 0
  }

  /** Nothing happens without a pull: who makes one has its owner ask. */
  ask(count: number): void {
    this.#pull?.ask(count)
  }

  /** @see Pull.probe; undefined without a pull, too */
  async probe(): Promise<boolean | undefined> {
    return this.#pull?.probe()
  }

  /** The group is there. */
  begin(): void {
    const { stream, consumer } = this.#server
    const pull = new Pull(stream.link, stream.name, consumer, this.#host.maxMessageBytes, {
      onMessage: (message) => this.#owner.onMessage(message),
      onExpired: () => this.#owner.onExpired(),
      onLost: (isGone) => {
        if (this.#pull !== pull) return
        const lost: State = { stage: 'lost' }
        this.#state = lost
        if (isGone) this.#gone()
        else void this.#restore(lost)
      },
    })
    this.#state = { stage: 'pulling', pull }
    this.#owner.onExpired()
  }

  /** @see Pull.end */
  async end(): Promise<void> {
    await this.#pull?.end()
  }

  close(): void {
    const pull = this.#pull
    this.#state = closed
    pull?.close()
  }

  get #pull(): Pull | undefined {
    return this.#state.stage === 'pulling' ? this.#state.pull : undefined
  }

  #gone(): void {
    this.close()
    this.#owner.onGone()
  }

  /** Another one, if the group is still there. @param lost nobody has begun or closed since */
  async #restore(lost: State): Promise<void> {
    const isNeeded = () => this.#state === lost && this.#host.isOpen
    try {
      const exists = await this.#server.exists()
      if (!isNeeded()) return
      if (exists) this.begin()
      else this.#gone()
    } catch (error) {
      if (!isNeeded()) return
      this.#host.onError(`asking for messages of ${this.#server.what}`, error)
      // It has tried for long. Consumers never fall silent.
      setTimeout(() => void this.#restore(lost), retryMs).unref()
    }
  }
}
