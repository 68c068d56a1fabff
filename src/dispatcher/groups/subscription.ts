/** One consumer's seat at the desk of a group: how it asks, and what becomes of what it is given. */
import { whenAborted } from '../../abortable.js'
import type { SubscribeOptions, Subscription } from '../../engine/group-seat.js'
import { BookendError } from '../../errors.js'
import { maxTimerMs } from '../../limits.js'
import { GroupRemovedError } from './group-desk.js'
import type { GroupFeed, MakeDelivery } from './group-feed.js'
import { HeldLeases } from './held-leases.js'
import type { Lease, LeaseHolder } from './lease.js'
import type { SeatDesk } from './seat-desk.js'

/** What a seat needs of the log. */
export interface SeatHost {
  readonly isOpen: boolean
  /** Called once each, when the log closes: for who would keep it in memory, or wait for ever. */
  readonly onClose: Set<() => void>
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
}

/** A message that is ours, and is being looked up. */
interface Taken<D> {
  readonly lease: Lease
  readonly found: Promise<D | undefined>
}

/** Who passes a message that cannot be read does so at once: of so many at a time. */
const maxDamaged = 1_024
const never = Number.POSITIVE_INFINITY

export class DeskSubscription<D extends object> implements Subscription<D>, LeaseHolder {
  readonly #host: SeatHost
  readonly desk: SeatDesk
  readonly #feed: GroupFeed
  readonly #make: MakeDelivery<D>
  readonly #options: SubscribeOptions
  readonly #removals: number
  readonly #held: HeldLeases
  #hasAsked = false
  #isClosed = false
  /** Calls that wait, for a message or for a free place: each looks again, or gives up. */
  readonly #waiters = new Set<() => void>()
  /** Messages that could not be read: those that were met last. */
  readonly #damaged = new Map<number, Lease>()
  readonly #forgetSignal: () => void

  constructor(host: SeatHost, desk: SeatDesk, feed: GroupFeed, make: MakeDelivery<D>, options: SubscribeOptions) {
    this.#host = host
    this.desk = desk
    this.#feed = feed
    this.#make = make
    this.#options = options
    this.#removals = desk.removals
    this.#held = new HeldLeases(options.ackTimeoutMs, host.onClose, (lease) =>
      this.giveBack(lease, 0, lease.attempt + 1),
    )
    this.#forgetSignal = whenAborted(options.signal, () => this.close())
    // A signal may outlive the log, and leads here.
    if (options.signal !== undefined) host.onClose.add(this.#letGo)
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.desk.removals === this.#removals
  }

  next(deadlineMs: number, signal: AbortSignal | undefined): D | Promise<D | undefined> {
    if (!this.#hasAsked) this.#sit()
    const lease = this.#mayTake() && signal?.aborted !== true ? this.desk.takeInTurn(1) : undefined
    if (lease === undefined) return this.#next(deadlineMs, signal, undefined)
    const found = this.#find(lease)
    return found instanceof Promise ? this.#next(deadlineMs, signal, { lease, found }) : this.#hold(found, lease)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.desk.seats.delete(this)
    this.#held.giveUp()
    this.#letGo()
  }

  async passDamaged(offset: number): Promise<void> {
    const lease = this.#damaged.get(offset)
    this.#damaged.delete(offset)
    if (lease !== undefined) await this.desk.acknowledge(lease, lease.first, lease.end)
  }

  acknowledge(lease: Lease): Promise<void> {
    this.#release(lease)
    this.#host.checkOpen()
    return this.desk.acknowledge(lease, lease.first, lease.end)
  }

  settled(lease: Lease): void {
    this.#release(lease)
  }

  giveBack(lease: Lease, delayMs: number, attempt: number): void {
    if (!lease.isHeld) return
    this.#release(lease)
    this.desk.giveBack(lease, lease.first, lease.end, attempt, delayMs)
  }

  extend(lease: Lease): void {
    if (lease.isHeld) this.#held.extend(lease)
  }

  /** Who asks is a consumer; a handle alone is none. */
  #sit(): void {
    this.#hasAsked = true
    if (!this.#isClosed) this.desk.seats.add(this)
  }

  /** False where {@link #next} would not take a message at once. */
  #mayTake(): boolean {
    return this.isOpen && !this.desk.needsOpen && this.#held.count < this.#options.prefetch && this.#host.isOpen
  }

  /** @param taken what the call found before it came to wait */
  async #next(
    deadlineMs: number,
    signal: AbortSignal | undefined,
    taken: Taken<D> | undefined,
  ): Promise<D | undefined> {
    try {
      for (let held = taken; ; held = undefined) {
        if (held === undefined) {
          if (!this.#stillAsks(signal)) return undefined
          await this.desk.open(this.#options.from)
          // Everything may have changed meanwhile. Nobody answers who asks the desk of a log that is closed.
          if (!this.#stillAsks(signal)) return undefined
          const lease = await this.#lease(deadlineMs, signal)
          if (lease === 'free place') continue
          if (lease === undefined) return undefined
          held = { lease, found: Promise.resolve(this.#find(lease)) }
        }
        const delivery = await this.#delivery(held, signal)
        if (delivery !== undefined) return delivery
      }
    } catch (error) {
      if (error instanceof GroupRemovedError) return undefined
      throw error
    }
  }

  /** False: the seat was given up. @throws the signal's reason; `BOOKEND_CLOSED` */
  #stillAsks(signal: AbortSignal | undefined): boolean {
    signal?.throwIfAborted()
    if (!this.isOpen) return false
    this.#host.checkOpen()
    return true
  }

  /** A message; undefined: none came in time, or the seat was given up. */
  #lease(deadlineMs: number, signal: AbortSignal | undefined): Promise<Lease | 'free place' | undefined> | Lease {
    const isFull = this.#held.count >= this.#options.prefetch
    const taken = isFull ? undefined : this.desk.takeInTurn(1)
    if (taken !== undefined) return taken
    const request = isFull ? undefined : this.desk.request(1, this.#isAlone(deadlineMs), this.#options.ackTimeoutMs)
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      const settle = () => {
        clearTimeout(timer)
        forget()
        this.#waiters.delete(onWake)
        if (isFull) this.#host.onClose.delete(onWake)
      }
      // False: served in the same moment. Then the message is ours.
      const giveUp = () => {
        if (request !== undefined && !request.cancel()) return false
        settle()
        return true
      }
      const onTimeout = () => {
        if (giveUp()) resolve(undefined)
      }
      const onAbort = () => {
        if (giveUp()) reject(signal?.reason)
      }
      const onWake = () => {
        if (!this.isOpen) onTimeout()
        else if (isFull && giveUp()) resolve('free place')
      }
      request?.lease.then(resolve, reject).finally(settle)
      const forget = whenAborted(signal, onAbort)
      this.#waiters.add(onWake)
      // Who waits at the desk is told by the desk.
      if (isFull) this.#host.onClose.add(onWake)
      const leftMs = deadlineMs - performance.now()
      if (leftMs === Number.POSITIVE_INFINITY) return
      // Not at once: somebody who stands before us in the row may need less than there is.
      if (leftMs <= 0) void Promise.resolve(request?.looked).then(onTimeout)
      else timer = setTimeout(onTimeout, Math.min(maxTimerMs, Math.ceil(leftMs)))
    })
  }

  /** Who does not wait for ever has to know what there is; and of messages without a deadline nobody keeps a stock. */
  #isAlone(deadlineMs: number): boolean {
    return deadlineMs !== never || this.#options.ackTimeoutMs === never
  }

  #find(lease: Lease): D | Promise<D | undefined> {
    try {
      return this.#feed.message(lease, this.#make)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Undefined: the message is gone, or not ours any more. */
  async #delivery({ lease, found }: Taken<D>, signal: AbortSignal | undefined): Promise<D | undefined> {
    const giveBack = () => this.desk.giveBack(lease, lease.first, lease.end, lease.attempt, 0)
    let delivery: D | undefined
    try {
      delivery = await found
    } catch (error) {
      // Not its fault: the same attempt, for whoever asks next.
      giveBack()
      const code = error instanceof BookendError ? error.code : undefined
      if (code === 'BOOKEND_TRIMMED') return undefined
      if (code === 'BOOKEND_CORRUPT') this.#noteDamaged(lease)
      throw error
    }
    if (delivery === undefined) {
      // Trimmed away meanwhile: nobody can be given it.
      await this.desk.acknowledge(lease, lease.first, lease.end)
      return undefined
    }
    // It may have been acknowledged while it was looked up, by who had it before: then it must not come again.
    if (!this.desk.isWanted(lease)) return undefined
    if (!this.isOpen || !this.#host.isOpen || signal?.aborted === true) {
      giveBack()
      signal?.throwIfAborted()
      return undefined
    }
    return this.#hold(delivery, lease)
  }

  #noteDamaged(lease: Lease): void {
    this.#damaged.set(lease.first, lease)
    if (this.#damaged.size <= maxDamaged) return
    const [oldest] = this.#damaged.keys()
    this.#damaged.delete(oldest)
  }

  #hold(delivery: D, lease: Lease): D {
    this.#held.hold(lease, this)
    return delivery
  }

  #release(lease: Lease): void {
    if (!lease.isHeld) return
    this.#held.release(lease)
    if (this.#waiters.size > 0) this.#wake()
  }

  /** Nothing that lasts leads to this seat any more, and through it to the log. */
  readonly #letGo = (): void => {
    this.#held.stop()
    this.#forgetSignal()
    this.#host.onClose.delete(this.#letGo)
    this.#wake()
  }

  #wake(): void {
    for (const look of [...this.#waiters]) look()
  }
}
