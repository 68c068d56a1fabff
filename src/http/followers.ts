/**
 * Requests that wait for what comes next in a stream. All that wait for one stream are woken by one reader of its topic, whoever appends; what
 * is no message, that it is closed or deleted, is told to them as well.
 */
import type { MessageStream } from '../log/message-stream.js'
import type { Topic } from '../log/topic.js'

export type Wake = 'news' | 'time' | 'end'

interface WaitingRequest {
  wake(why: Wake): void
}

interface Followed {
  readonly followers: Set<WaitingRequest>
  reader: MessageStream<Uint8Array> | undefined
}

export class Followers {
  readonly #topics = new Map<string, Followed>()
  #count = 0
  #isEnded = false

  /** How many wait. */
  get count(): number {
    return this.#count
  }

  /** @returns `news`: there may be something at or behind `offset`, or the stream is closed or gone; `end`: nobody waits here any more */
  wait(topic: Topic<Uint8Array>, offset: number, ms: number, signal: AbortSignal): Promise<Wake> {
    if (this.#isEnded || signal.aborted) return Promise.resolve('end')
    return new Promise((resolve) => {
      const { name } = topic
      let followed = this.#topics.get(name)
      if (followed === undefined) {
        followed = { followers: new Set(), reader: undefined }
        this.#topics.set(name, followed)
      }
      const { followers } = followed
      const settle = (why: Wake) => {
        if (!followers.delete(follower)) return
        this.#count -= 1
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        if (followers.size === 0) this.#letGo(name, followed)
        resolve(why)
      }
      const follower = { wake: settle }
      const onAbort = () => settle('end')
      const timer = setTimeout(() => settle('time'), ms)
      signal.addEventListener('abort', onAbort)
      followers.add(follower)
      this.#count += 1
      // Behind the entry: what comes from here on wakes it.
      followed.reader ??= this.#follow(topic, offset, followed)
    })
  }

  /** Something has happened to the stream that is no message. */
  tell(topic: string): void {
    this.#wakeAll(this.#topics.get(topic), 'news')
  }

  /** All waiting is over, for good. */
  end(): void {
    this.#isEnded = true
    for (const followed of [...this.#topics.values()]) this.#wakeAll(followed, 'end')
  }

  #follow(topic: Topic<Uint8Array>, offset: number, followed: Followed): MessageStream<Uint8Array> {
    const reader = topic.read({ from: offset, follow: true })
    // One message is enough: who is woken reads by itself, and waits anew. That it cannot be read is found by who reads.
    const wake = () => {
      if (followed.reader === reader) this.#wakeAll(followed, 'news')
    }
    reader.next().then(wake, wake)
    return reader
  }

  #wakeAll(followed: Followed | undefined, why: Wake): void {
    for (const follower of [...(followed?.followers ?? [])]) follower.wake(why)
  }

  #letGo(name: string, followed: Followed): void {
    if (this.#topics.get(name) === followed) this.#topics.delete(name)
    void followed.reader?.return()
    followed.reader = undefined
  }
}
