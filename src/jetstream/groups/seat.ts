/** One consumer's seat in a group: what it holds until that is settled, or its time has run out. */
import { whenAborted } from '../../abortable.js'
import type { EngineLease, SubscribeOptions, Subscription } from '../../engine/group-seat.js'
import { maxTimerMs } from '../../limits.js'
import { chunkOf } from '../../messages/chunk-builder.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import type { Seat } from './demand.js'
import type { GroupShare } from './group-share.js'
import type { HeldMessage } from './leased-messages.js'

/** What a seat needs of its log. */
export interface JetStreamSeatHost {
  readonly isOpen: boolean
  readonly onClose: Set<() => void>
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
}

export class GroupSeat<D extends object> implements Subscription<D>, Seat {
  readonly isConsumer = true
  readonly #share: GroupShare
  readonly #host: JetStreamSeatHost
  readonly #make: (record: RecordPlace, lease: EngineLease) => D
  readonly #options: SubscribeOptions
  readonly #removals: number
  readonly #leases = new Set<ServerLease>()
  /** Calls that wait for a free place: they do not stand in the row of the group. */
  #parked: (() => void)[] = []
  /** Ends calls that wait, if they have to end. */
  readonly #stops = new Set<() => void>()
  #isClosed = false
  readonly #forgetSignal: () => void

  constructor(
    share: GroupShare,
    host: JetStreamSeatHost,
    make: (record: RecordPlace, lease: EngineLease) => D,
    options: SubscribeOptions,
  ) {
    this.#share = share
    this.#host = host
    this.#make = make
    this.#options = options
    this.#removals = share.removals
    share.enter(this)
    this.#forgetSignal = whenAborted(options.signal, () => this.close())
    if (options.signal?.aborted) this.close()
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#share.removals === this.#removals
  }

  /** Nothing is asked for ahead of a seat without a bound: who sits there takes what it asks for, and no more. */
  get room(): number {
    const { prefetch } = this.#options
    return prefetch === Number.POSITIVE_INFINITY ? 0 : prefetch - this.#leases.size
  }

  next(deadlineMs: number, signal: AbortSignal | undefined): D | Promise<D | undefined> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (!this.isOpen) return Promise.resolve(undefined)
    try {
      this.#host.checkOpen()
      if (!this.#share.isAsked && !this.#isFull) {
        const given = this.#take()
        if (given !== undefined) return given
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#wait(deadlineMs, signal)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#forgetSignal()
    this.#share.leave(this)
    for (const lease of [...this.#leases]) lease.putBack(lease.attempt + 1)
    for (const stop of [...this.#stops]) stop()
    this.#look()
  }

  /** A lease is settled: its place is free. */
  freed(lease: ServerLease): void {
    this.#leases.delete(lease)
    if (this.#parked.length > 0) queueMicrotask(() => this.#look())
  }

  get #isFull(): boolean {
    return this.#leases.size >= this.#options.prefetch
  }

  #look(): void {
    for (const ask of this.#parked.splice(0)) ask()
    this.#share.serve()
  }

  /** @throws what making something of the message fails with: then it is at hand again, as it came */
  #take(): D | undefined {
    const lease = new ServerLease(this, this.#share, this.#host, this.#options.ackTimeoutMs)
    const held = this.#share.take(lease)
    if (held === undefined) return undefined
    lease.begin(held)
    this.#leases.add(lease)
    try {
      const cursor = chunkOf([held.message])
      cursor.next()
      return this.#make(cursor, lease)
    } catch (error) {
      lease.putBack(held.attempt)
      throw error
    }
  }

  #wait(deadlineMs: number, signal: AbortSignal | undefined): Promise<D | undefined> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      let isOver = false
      const { onClose } = this.#host
      const look = () => this.#look()
      // Called when it has to end, and then nothing is taken: so it need not be its turn in the row, where others may wait for long.
      const stop = () => {
        attempt()
        look()
      }
      const forget = whenAborted(signal, stop)
      const end = (settle: () => void): true => {
        isOver = true
        clearTimeout(timer)
        forget()
        onClose.delete(stop)
        this.#stops.delete(stop)
        settle()
        return true
      }
      const attempt = (): boolean => {
        if (isOver) return true
        if (signal?.aborted) return end(() => reject(signal.reason))
        if (!this.isOpen) return end(() => resolve(undefined))
        try {
          this.#host.checkOpen()
          if (this.#isFull) {
            this.#parked.push(() => this.#share.ask(attempt))
            return true
          }
          const given = this.#take()
          return given === undefined ? false : end(() => resolve(given))
        } catch (error) {
          return end(() => reject(error))
        }
      }
      /** The last look is the server's: what is there is given. */
      const giveUp = () =>
        this.#share.probe().then(
          () => {
            if (!isOver) end(() => resolve(undefined))
            look()
          },
          (error) => {
            if (!isOver) end(() => reject(error))
            look()
          },
        )
      onClose.add(stop)
      this.#stops.add(stop)
      this.#share.open(this.#options.from).then(look, (error) => {
        if (!isOver) end(() => reject(error))
      })
      const leftMs = deadlineMs - performance.now()
      // Before it stands in the row, where it would ask for its message another time.
      if (leftMs <= 0) void giveUp()
      this.#share.ask(attempt)
      if (isOver || leftMs <= 0 || leftMs === Number.POSITIVE_INFINITY) return
      timer = setTimeout(() => void giveUp(), Math.min(maxTimerMs, Math.ceil(leftMs)))
    })
  }
}

/** `new -> held -> settled`; an acknowledgement counts in any of them. */
class ServerLease implements EngineLease {
  readonly #seat: { freed(lease: ServerLease): void }
  readonly #share: GroupShare
  readonly #host: JetStreamSeatHost
  readonly #timeoutMs: number
  readonly #generation: number
  #held: HeldMessage | undefined
  #reply = ''
  #timer: NodeJS.Timeout | undefined
  #acknowledged: Promise<void> | undefined
  offset = -1
  attempt = 0

  constructor(
    seat: { freed(lease: ServerLease): void },
    share: GroupShare,
    host: JetStreamSeatHost,
    timeoutMs: number,
  ) {
    this.#seat = seat
    this.#share = share
    this.#host = host
    this.#timeoutMs = timeoutMs
    this.#generation = share.books.generation
  }

  begin(held: HeldMessage): void {
    this.#held = held
    this.#reply = held.reply
    this.offset = held.message.offset
    this.attempt = held.attempt
    this.extend()
  }

  acknowledge(): Promise<void> {
    this.#host.checkOpen()
    this.#acknowledged ??= this.#acknowledge()
    return this.#acknowledged
  }

  async #acknowledge(): Promise<void> {
    this.release()
    try {
      await this.#share.acknowledge(this.#generation, this.offset, this.#reply)
    } catch (error) {
      // Not known to be done: the next call asks again.
      this.#acknowledged = undefined
      throw error
    }
  }

  giveBack(delayMs: number, attempt = this.attempt + 1): void {
    const held = this.#held
    if (held === undefined) return
    this.release()
    this.#share.giveBack(this.#generation, held, attempt, delayMs)
  }

  /** At hand again, as that attempt. */
  putBack(attempt: number): void {
    const held = this.#held
    if (held === undefined) return
    this.release()
    this.#share.putBack(this.#generation, held, attempt)
  }

  extend(): void {
    clearTimeout(this.#timer)
    if (this.#held === undefined || this.#timeoutMs === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => this.giveBack(0), this.#timeoutMs).unref()
  }

  /** Not held any more: it was settled, by us or by others, or means nothing. */
  release(): void {
    if (this.#held === undefined) return
    this.#held = undefined
    clearTimeout(this.#timer)
    this.#seat.freed(this)
  }
}
