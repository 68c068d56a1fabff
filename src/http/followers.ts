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

type Enter = (seat: WaitingRequest, offset: number) => (() => void) | undefined

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

  /**
   * Who waits at a topic, one time after the other; never twice at once.
   * @param signal it waits no more
   */
  seat(topic: Topic<Uint8Array>, signal: AbortSignal): WaitingSeat {
    return new WaitingSeat((seat, offset) => this.#enter(topic, seat, offset), signal)
  }

  /** Undefined: nobody waits any more. @returns what takes it out again */
  #enter(topic: Topic<Uint8Array>, seat: WaitingRequest, offset: number): (() => void) | undefined {
    if (this.#isEnded) return undefined
    const { name } = topic
    let followed = this.#topics.get(name)
    if (followed === undefined) {
      followed = { followers: new Set(), reader: undefined }
      this.#topics.set(name, followed)
    }
    const entered = followed
    entered.followers.add(seat)
    this.#count += 1
    // Behind the entry: what comes from here on wakes it.
    entered.reader ??= this.#follow(topic, offset, entered)
    return () => {
      entered.followers.delete(seat)
      this.#count -= 1
      if (entered.followers.size === 0) this.#letGo(name, entered)
    }
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

/** What one request needs for waiting is made once for it, and not for each message: it took a good part of the time of a delivery. */
class WaitingSeat implements WaitingRequest {
  readonly #enter: Enter
  readonly #signal: AbortSignal
  #leave: (() => void) | undefined
  #resolve: ((why: Wake) => void) | undefined
  /** Goes on beyond a wait: the next one has most often to be longer. */
  #timer: NodeJS.Timeout | undefined
  #timerMs = 0
  #deadlineMs = 0

  constructor(enter: Enter, signal: AbortSignal) {
    this.#enter = enter
    this.#signal = signal
    signal.addEventListener('abort', () => this.wake('end'), { once: true })
  }

  /** @returns `news`: there may be something at or behind `offset`, or the stream is closed or gone; `end`: nobody waits here any more */
  wait(offset: number, ms: number): Promise<Wake> {
    if (this.#signal.aborted) return Promise.resolve('end')
    this.#leave = this.#enter(this, offset)
    if (this.#leave === undefined) return Promise.resolve('end')
    this.#deadlineMs = performance.now() + ms
    if (this.#timer === undefined || this.#timerMs > this.#deadlineMs) this.#setTimer(ms)
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  wake(why: Wake): void {
    const leave = this.#leave
    if (leave === undefined) return
    this.#leave = undefined
    leave()
    this.#resolve?.(why)
  }

  /** There will be no other wait. */
  close(): void {
    clearTimeout(this.#timer)
  }

  #setTimer(ms: number): void {
    clearTimeout(this.#timer)
    this.#timerMs = performance.now() + ms
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      // Between two waits the next one sets it.
      if (this.#leave === undefined) return
      const leftMs = this.#deadlineMs - performance.now()
      if (leftMs > 0) this.#setTimer(leftMs)
      else this.wake('time')
    }, ms)
  }
}
