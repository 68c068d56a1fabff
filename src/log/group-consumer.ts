/** One consumer of a group: deliveries one after the other, each to be acknowledged. */
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

export class GroupConsumer<T> implements AsyncIterableIterator<Delivery<T>> {
  readonly #seat: Subscription<LeasedMessage<T>>
  readonly #signal: AbortSignal | undefined
  /** The last of the calls that have to wait, and how many there are. */
  #turn: Promise<unknown> = Promise.resolve()
  #waitingCalls = 0
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
  next(): Promise<IteratorResult<Delivery<T>, undefined>> {
    if (this.#waitingCalls > 0 || this.#isDone || this.#signal?.aborted === true) return this.#inTurn(undefined)
    const found = this.#seat.next(noDeadline, undefined)
    return found instanceof Promise ? this.#inTurn(found) : Promise.resolve({ done: false, value: found })
  }

  /** Ends the consumer; what it holds unacknowledged goes to the others at once. */
  async return(): Promise<IteratorResult<Delivery<T>, undefined>> {
    this.#finish()
    return { done: true, value: undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish()
  }

  #inTurn(asked: Promise<Delivery<T> | undefined> | undefined): Promise<IteratorResult<Delivery<T>, undefined>> {
    // It may fail before its turn comes.
    asked?.catch(() => {})
    this.#waitingCalls += 1
    const mine = this.#turn
      .then(() => this.#next(asked))
      .finally(() => {
        this.#waitingCalls -= 1
      })
    this.#turn = mine.catch(() => {})
    return mine
  }

  /** @param asked what the call has asked for before it came to wait */
  async #next(asked: Promise<Delivery<T> | undefined> | undefined): Promise<IteratorResult<Delivery<T>, undefined>> {
    try {
      if (asked === undefined) this.#signal?.throwIfAborted()
      if (this.#isDone && asked === undefined) return { done: true, value: undefined }
      const delivery = await (asked ?? this.#seat.next(noDeadline, undefined))
      if (delivery !== undefined) return { done: false, value: delivery }
      this.#signal?.throwIfAborted()
      this.#finish()
      return { done: true, value: undefined }
    } catch (error) {
      this.#finish()
      throw error
    }
  }

  #finish(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#seat.close()
  }
}
