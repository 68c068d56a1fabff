/**
 * Deletes what every group of a topic is past: the servers have no retention that would do that without making gaps. Looks soon after
 * something was acknowledged in this process, since others have to be asked for anyway; where nothing is, more and more seldom.
 *
 * Where messages are deleted, a server forgets which others were given back and wait for somebody who asks: those come again only when their
 * `ack_wait` is over. So nothing is deleted while there may be such, for a minute at most.
 */
import type { ConsumerInfo } from '@nats-io/jetstream'
import type { TopicStream } from '../server/topic-stream.js'
import { groupInfos } from './server-group.js'

const soonMs = 1_000
const longestMs = 60_000

export interface ConsumedTrimHost {
  /** False once the log closes. */
  readonly isOpen: boolean
  /** The log is not closed before it has ended. */
  reading<T>(work: Promise<T>): Promise<T>
  /** Met where nobody waits for it. */
  onError(what: string, error: unknown): void
}

export class ConsumedTrim {
  readonly #stream: TopicStream
  readonly #host: ConsumedTrimHost
  #timer: NodeJS.Timeout | undefined
  #isWanted = false
  #pauseMs = soonMs
  /** Everything below was deleted by us. */
  #deleted = 0
  /** Since when there is more to delete. */
  #wantedMs: number | undefined

  constructor(stream: TopicStream, host: ConsumedTrimHost) {
    this.#stream = stream
    this.#host = host
  }

  /** Whether messages that all groups are past may go. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted
    if (isWanted) this.lookSoon()
    else this.stop()
  }

  /** More may be done. */
  lookSoon(): void {
    if (!this.#isWanted) return
    // One that is as soon may be on its way.
    if (this.#pauseMs > soonMs) this.stop()
    this.#pauseMs = soonMs
    this.#wait()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => void this.#look(), this.#pauseMs).unref()
  }

  async #look(): Promise<void> {
    this.#timer = undefined
    if (!this.#host.isOpen) return
    this.#pauseMs = Math.min(longestMs, 2 * this.#pauseMs)
    try {
      await this.#host.reading(this.#trim())
    } catch (error) {
      if (this.#host.isOpen) this.#host.onError(`retention of topic "${this.#stream.topic}"`, error)
    }
    if (this.#isWanted && this.#host.isOpen) this.#wait()
  }

  async #trim(): Promise<void> {
    const groups = await groupInfos(this.#stream)
    // A topic without a group keeps everything.
    if (groups.length === 0) return
    const done = Math.min(...groups.map(({ ack_floor }) => ack_floor.stream_seq))
    if (done <= this.#deleted) return
    const nowMs = performance.now()
    this.#wantedMs ??= nowMs
    if (groups.some(mayHaveGivenBack) && nowMs - this.#wantedMs < longestMs) return
    await this.#stream.purge(done)
    this.#deleted = done
    this.#wantedMs = undefined
  }
}

/** Whoever asks is given at once what was given back. */
function mayHaveGivenBack({ num_ack_pending, num_waiting }: ConsumerInfo): boolean {
  return num_ack_pending > 0 && num_waiting === 0
}
