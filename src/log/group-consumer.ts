/** One consumer of a group: deliveries, their acknowledgements, and what happens to those that are never acknowledged. */

import { Fifo } from '../collections/fifo.js'
import { type GroupDesk, GroupRemovedError } from '../dispatcher/groups/group-desk.js'
import type { Lease } from '../dispatcher/groups/group-ledger.js'
import type { Engine } from '../engine/engine.js'
import type { ChunkCursor } from '../messages/chunk-cursor.js'
import { type Message, type MessageSource, StoredMessage } from '../messages/message.js'
import { whenAborted } from './abortable.js'
import { AckDeadline } from './ack-deadline.js'
import type { GroupFeed } from './group-feed.js'
import { checkKeys, checkSpan } from './validate.js'

const maxDelayMs = 2 ** 31 - 1

/** A message given to one consumer, to be acknowledged. */
export interface Delivery<T> extends Message<T> {
  /** 1 for the first delivery since the log was opened, counted up each time the message comes again. */
  readonly attempt: number
  /**
   * The message is done. Resolves once that survives a crash; the message then never comes again. Idempotent, and valid even if
   * the message was meanwhile given to somebody else.
   */
  ack(): Promise<void>
  /** The message is for another attempt, by whichever consumer asks then. Nothing happens if it is no longer ours. */
  nack(options?: { delayMs?: number }): Promise<void>
}

export interface ConsumeOptions {
  /** Where a group starts that has never been used: at the oldest readable message (the default), or at the next one. */
  from?: 'first' | 'next'
  /** The most deliveries this consumer holds unacknowledged; at this number it waits for one to be settled. Default 1,000. */
  prefetch?: number
  /** A delivery not acknowledged for this long is given to the next consumer. Default 30,000. */
  ackTimeoutMs?: number
  signal?: AbortSignal
}

interface Checked {
  from: 'first' | 'next'
  prefetch: number
  ackTimeoutMs: number
  signal: AbortSignal | undefined
}

export class GroupConsumer<T> implements AsyncIterableIterator<Delivery<T>> {
  readonly #engine: Engine
  readonly #desk: GroupDesk
  readonly #feed: GroupFeed
  readonly #source: MessageSource<T>
  readonly #options: Checked
  /** Deliveries in the order of their deadlines, which is that of delivery; settled ones are dropped when they come up. */
  readonly #held = new Fifo<HeldDelivery<T>>()
  #heldCount = 0
  readonly #deadline: AckDeadline
  readonly #removals: number
  #isDone = false
  /** The last of the calls that have to wait, and how many there are. */
  #turn: Promise<unknown> = Promise.resolve()
  #waitingCalls = 0
  /** Wakes the call that waits for a free place or for a message. */
  #wake: (() => void) | undefined
  readonly #forgetSignal: () => void

  constructor(engine: Engine, desk: GroupDesk, feed: GroupFeed, source: MessageSource<T>, options: Checked) {
    this.#engine = engine
    this.#desk = desk
    this.#feed = feed
    this.#source = source
    this.#options = options
    this.#removals = desk.removals
    this.#deadline = new AckDeadline(engine.onClose)
    this.#forgetSignal = whenAborted(options.signal, this.#finish)
    // A signal may outlive the log, and leads here.
    if (options.signal !== undefined) engine.onClose.add(this.#letGo)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** One call at a time, in order: callers need not wait for one `next()` before they ask for another. */
  next(): Promise<IteratorResult<Delivery<T>, undefined>> {
    if (this.#waitingCalls > 0 || !this.#mayTake()) return this.#inTurn()
    const lease = this.#desk.takeInTurn(1)
    if (lease === undefined) return this.#inTurn()
    const found = this.#feed.message(lease.first, this.#make)
    if (found instanceof Promise) return this.#inTurn({ lease, found })
    return Promise.resolve({ done: false, value: this.#hold(found, lease) })
  }

  #inTurn(taken?: Taken<T>): Promise<IteratorResult<Delivery<T>, undefined>> {
    this.#waitingCalls += 1
    const mine = this.#turn
      .then(() => this.#next(taken))
      .finally(() => {
        this.#waitingCalls -= 1
      })
    this.#turn = mine.catch(() => {})
    return mine
  }

  /** False where {@link #next} would not take a message at once. */
  #mayTake(): boolean {
    const { signal, prefetch } = this.#options
    const isOpen = !this.#isDone && signal?.aborted !== true && this.#desk.removals === this.#removals
    return isOpen && !this.#desk.needsOpen && this.#heldCount < prefetch && this.#engine.isOpen
  }

  /** Ends the consumer; what it holds unacknowledged goes to the others at once. */
  async return(): Promise<IteratorResult<Delivery<T>, undefined>> {
    this.#finish()
    return { done: true, value: undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish()
  }

  /** @param taken what the call found before it came to wait */
  async #next(taken: Taken<T> | undefined): Promise<IteratorResult<Delivery<T>, undefined>> {
    const { signal, prefetch, from } = this.#options
    try {
      if (taken !== undefined) {
        const delivery = await this.#deliver(taken)
        if (delivery !== undefined) return { done: false, value: delivery }
      }
      for (;;) {
        signal?.throwIfAborted()
        if (this.#desk.removals !== this.#removals) this.#finish()
        if (this.#isDone) return { done: true, value: undefined }
        this.#engine.checkOpen()
        await this.#desk.open(from)
        if (this.#heldCount >= prefetch) {
          await this.#untilWoken()
          continue
        }
        const lease = this.#desk.takeInTurn(1) ?? (await this.#lease())
        if (lease === undefined) continue
        const delivery = await this.#deliver({ lease, found: this.#feed.message(lease.first, this.#make) })
        if (delivery !== undefined) return { done: false, value: delivery }
      }
    } catch (error) {
      this.#finish()
      if (error instanceof GroupRemovedError) return { done: true, value: undefined }
      throw error
    }
  }

  /** A message as soon as there is one; undefined: woken for another reason. */
  async #lease(): Promise<Lease | undefined> {
    const { lease, cancel } = this.#desk.request(1)
    const woken = this.#untilWoken().then(() => undefined)
    const first = await Promise.race([lease, woken]).finally(() => {
      this.#wake = undefined
    })
    if (first !== undefined) return first
    // Given up, unless it was served in the same moment.
    if (cancel()) {
      lease.catch(() => {})
      return undefined
    }
    return lease
  }

  /** Undefined: the message is gone, or not ours any more. */
  async #deliver({ lease, found }: Taken<T>): Promise<Delivery<T> | undefined> {
    let delivery: HeldDelivery<T> | undefined
    try {
      delivery = await found
    } catch (error) {
      // Not its fault: the same attempt, for whoever asks next.
      this.#desk.giveBack(lease, lease.first, lease.end, lease.attempt, 0)
      if ((error as { code?: unknown }).code === 'BOOKEND_TRIMMED') return undefined
      throw error
    }
    if (delivery === undefined) {
      // Trimmed away meanwhile: nobody can be given it.
      await this.#desk.acknowledge(lease, lease.first, lease.end)
      return undefined
    }
    // It may have been acknowledged while it was looked up, by who had it before: then it must not come again.
    if (!this.#desk.isWanted(lease)) return undefined
    if (this.#isDone || this.#options.signal?.aborted === true || !this.#engine.isOpen) {
      this.#desk.giveBack(lease, lease.first, lease.end, lease.attempt, 0)
      return undefined
    }
    return this.#hold(delivery, lease)
  }

  #hold(delivery: HeldDelivery<T>, lease: Lease): Delivery<T> {
    this.#heldCount += 1
    delivery.lease = lease
    delivery.deadlineMs = performance.now() + this.#options.ackTimeoutMs
    this.#held.push(delivery)
    this.#watchDeadline()
    return delivery
  }

  readonly #make = (cursor: ChunkCursor) => new HeldDelivery<T>(this.#source, cursor, this.#settlement)

  readonly #settlement: Settlement<T> = {
    acknowledge: (delivery) => {
      this.#release(delivery)
      this.#engine.checkOpen()
      return this.#desk.acknowledge(delivery.lease, delivery.offset, delivery.offset + 1)
    },
    giveBack: (delivery, delayMs) => {
      if (!delivery.isHeld) return
      this.#release(delivery)
      this.#desk.giveBack(delivery.lease, delivery.offset, delivery.offset + 1, delivery.attempt + 1, delayMs)
    },
  }

  #release(delivery: HeldDelivery<T>): void {
    if (!delivery.isHeld) return
    delivery.isHeld = false
    this.#heldCount -= 1
    // Settled ones at the head go now, so that a fast consumer keeps no trail of them.
    while (this.#held.peek()?.isHeld === false) this.#held.shift()
    // A consumer that holds nothing may be forgotten by everybody.
    if (this.#held.length === 0) this.#deadline.giveBack = undefined
    this.#wake?.()
  }

  #watchDeadline(): void {
    const next = this.#held.peek()
    if (next === undefined) return
    this.#deadline.giveBack = this.#giveBackLate
    this.#deadline.watch(next.deadlineMs)
  }

  readonly #giveBackLate = (): void => {
    const nowMs = performance.now()
    for (let held = this.#held.peek(); held !== undefined; held = this.#held.peek()) {
      if (held.isHeld && held.deadlineMs > nowMs) break
      this.#held.shift()
      this.#settlement.giveBack(held, 0)
    }
    this.#watchDeadline()
  }

  #untilWoken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  readonly #finish = (): void => {
    if (this.#isDone) return
    this.#isDone = true
    for (const delivery of this.#held.drain()) this.#settlement.giveBack(delivery, 0)
    this.#letGo()
  }

  /** Nothing that lasts leads to this consumer any more, and through it to the log. */
  readonly #letGo = (): void => {
    this.#deadline.stop()
    this.#forgetSignal()
    this.#engine.onClose.delete(this.#letGo)
    this.#wake?.()
  }
}

/** A message that is ours, and is being looked up. */
interface Taken<T> {
  readonly lease: Lease
  readonly found: HeldDelivery<T> | Promise<HeldDelivery<T> | undefined>
}

interface Settlement<T> {
  acknowledge(delivery: HeldDelivery<T>): Promise<void>
  giveBack(delivery: HeldDelivery<T>, delayMs: number): void
}

class HeldDelivery<T> extends StoredMessage<T> implements Delivery<T> {
  /** Set before anybody is given it. */
  lease!: Lease
  readonly #settlement: Settlement<T>
  isHeld = true
  deadlineMs = 0

  constructor(source: MessageSource<T>, cursor: ChunkCursor, settlement: Settlement<T>) {
    super(source, cursor)
    this.#settlement = settlement
  }

  get attempt(): number {
    return this.lease.attempt
  }

  ack(): Promise<void> {
    try {
      return this.#settlement.acknowledge(this)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async nack(options: { delayMs?: number } = {}): Promise<void> {
    checkKeys('nack()', options, ['delayMs'])
    const { delayMs = 0 } = options
    this.#settlement.giveBack(this, checkSpan('delayMs', delayMs, 0, maxDelayMs))
  }
}
