/** One consumer of a group: deliveries one after the other, each to be acknowledged. */
import { Fifo } from '../collections/fifo.js'
import type { EngineGroup, SubscribeOptions, Subscription } from '../engine/group-seat.js'
import type { MessageSource } from '../messages/message.js'
import { tracing } from '../tracing.js'
import { assertLeased } from './answers.js'
import { type Delivery, LeasedMessage } from './delivery.js'
import { TracedDelivery } from './traced-delivery.js'

/** How one consumer of a group goes to work. */
export interface ConsumeOptions {
  /** Where a group starts that has never been used: at the oldest readable message (the default), or at the next one. */
  from?: 'first' | 'next'
  /** The most deliveries this consumer holds unacknowledged; at this number it waits for one to be settled. Default 1,000. */
  prefetch?: number
  /** A delivery not acknowledged for this long is given to the next consumer. Default 30,000. */
  ackTimeoutMs?: number
  /** Ends the iteration with its reason; what is held goes back. */
  signal?: AbortSignal
}

const noDeadline = Number.POSITIVE_INFINITY

type Result<T> = IteratorResult<Delivery<T>, undefined>

/** A call of `next()` that could not be answered at once. */
interface Call<T> {
  resolve(result: Result<T>): void
  reject(error: unknown): void
}

export class GroupConsumer<T> implements AsyncIterableIterator<Delivery<T>> {
  readonly #seat: Subscription<LeasedMessage<T>>
  readonly #signal: AbortSignal | undefined
  /** The first is the one that asks. */
  readonly #calls = new Fifo<Call<T>>()
  #isDone = false

  /** @param log where it is, for who traces */
  constructor(group: EngineGroup, source: MessageSource<T>, options: SubscribeOptions, log: string) {
    this.#seat = group.subscribe((record, lease) => {
      assertLeased(record, lease)
      return tracing.consume.start.hasSubscribers
        ? new TracedDelivery<T>(log, source, group.name, record, lease)
        : new LeasedMessage<T>(source, record, lease)
    }, options)
    this.#signal = options.signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** One call at a time, in order: callers need not wait for one `next()` before they ask for another. */
  next(): Promise<Result<T>> {
    if (this.#calls.length > 0) return this.#wait()
    if (this.#isDone || this.#signal?.aborted === true) return this.#waitFirst(undefined)
    const found = this.#seat.next(noDeadline, undefined)
    return found instanceof Promise ? this.#waitFirst(found) : Promise.resolve({ done: false, value: found })
  }

  /** Ends the consumer; what it holds unacknowledged goes to the others at once. */
  async return(): Promise<IteratorResult<Delivery<T>, undefined>> {
    this.#finish()
    return { done: true, value: undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish()
  }

  #wait(): Promise<Result<T>> {
    return new Promise((resolve, reject) => this.#calls.push({ resolve, reject }))
  }

  /** @param asked what the call has asked for before it came to wait */
  #waitFirst(asked: Promise<Delivery<T> | undefined> | undefined): Promise<Result<T>> {
    const answer = this.#wait()
    void this.#serve(asked)
    return answer
  }

  /** Answers who waits, one after the other. What is at hand goes from one to the next in the same turn. */
  async #serve(asked: Promise<Delivery<T> | undefined> | undefined): Promise<void> {
    let found: Delivery<T> | Promise<Delivery<T> | undefined> | undefined = asked
    for (let call = this.#calls.peek(); call !== undefined; call = this.#calls.peek()) {
      try {
        if (found === undefined) this.#signal?.throwIfAborted()
        if (found === undefined && !this.#isDone) found = this.#seat.next(noDeadline, undefined)
        const delivery: Delivery<T> | undefined = found instanceof Promise ? await found : found
        if (delivery === undefined) this.#end()
        call.resolve(delivery === undefined ? { done: true, value: undefined } : { done: false, value: delivery })
      } catch (error) {
        this.#finish()
        call.reject(error)
      }
      // Behind its answer: who is first has asked.
      this.#calls.shift()
      found = undefined
    }
  }

  /** There is nothing more to come. @throws the signal's reason, where it is why */
  #end(): void {
    this.#signal?.throwIfAborted()
    this.#finish()
  }

  #finish(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#seat.close()
  }
}
