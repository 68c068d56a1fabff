/** What one consumer holds, and until when: what is not settled by its deadline is late, and goes to who asks next. */
import { Fifo } from '../../collections/fifo.js'
import { Heap } from '../../collections/heap.js'
import { AckDeadline } from './ack-deadline.js'
import type { Lease, LeaseHolder } from './lease.js'

/** The holder of a message has said that it is still at work. */
interface Extended {
  readonly lease: Lease
  readonly deadlineMs: number
}

const never = Number.POSITIVE_INFINITY

export class HeldLeases {
  readonly #timeoutMs: number
  readonly #onLate: (lease: Lease) => void
  readonly #clock: AckDeadline
  /** In the order of their deadlines, which is that of delivery; settled ones are dropped when they come up. */
  readonly #held = new Fifo<Lease>()
  readonly #extended = new Heap<Extended>((a, b) => a.deadlineMs < b.deadlineMs)
  #count = 0

  /**
   * @param timeoutMs infinite: nothing is ever late
   * @param onClose told when the log closes
   * @param onLate settles the lease, which {@link release}s it
   */
  constructor(timeoutMs: number, onClose: Set<() => void>, onLate: (lease: Lease) => void) {
    this.#timeoutMs = timeoutMs
    this.#onLate = onLate
    this.#clock = new AckDeadline(onClose)
  }

  get count(): number {
    return this.#count
  }

  hold(lease: Lease, holder: LeaseHolder): void {
    this.#count += 1
    lease.holder = holder
    lease.isHeld = true
    this.#held.push(lease)
    if (this.#timeoutMs === never) return
    lease.deadlineMs = this.#deadline()
    // A clock that leads here runs, and is early enough.
    if (this.#clock.giveBack === undefined) this.#watchDeadline()
  }

  /** It is settled. */
  release(lease: Lease): void {
    lease.isHeld = false
    this.#count -= 1
    // Settled ones at the head go now, so that a fast consumer keeps no trail of them. The clock runs on, and leads here only while
    // something is held.
    if (this.#nextHeld() === undefined && this.#nextExtended() === undefined) this.#clock.giveBack = undefined
  }

  /** As long again from now on, for one that is held. */
  extend(lease: Lease): void {
    if (this.#timeoutMs === never) return
    const deadlineMs = this.#deadline()
    lease.deadlineMs = deadlineMs
    lease.isExtended = true
    this.#extended.push({ lease, deadlineMs })
    this.#watchDeadline()
  }

  /** Everything that is held is late. */
  giveUp(): void {
    this.#settleLate(never)
  }

  /** Nothing that lasts leads here any more. */
  stop(): void {
    this.#clock.stop()
  }

  /** A whole number: fractions would cost each lease an object of their own. */
  #deadline(): number {
    return Math.ceil(performance.now() + this.#timeoutMs)
  }

  /** Of what is held now. */
  #watchDeadline(): void {
    const dueMs = Math.min(this.#nextHeld()?.deadlineMs ?? never, this.#nextExtended()?.deadlineMs ?? never)
    if (dueMs === never) return
    this.#clock.giveBack = this.#onDeadline
    this.#clock.watch(dueMs)
  }

  readonly #onDeadline = (): void => {
    this.#settleLate(performance.now())
    this.#watchDeadline()
  }

  #settleLate(nowMs: number): void {
    for (let lease = this.#nextHeld(); lease !== undefined && lease.deadlineMs <= nowMs; lease = this.#nextHeld())
      this.#onLate(lease)
    for (let due = this.#nextExtended(); due !== undefined && due.deadlineMs <= nowMs; due = this.#nextExtended())
      this.#onLate(due.lease)
  }

  /** The one whose time runs out first, but for those that were extended. Drops what is settled from the head on. */
  #nextHeld(): Lease | undefined {
    for (let lease = this.#held.peek(); lease !== undefined; lease = this.#held.peek()) {
      if (lease.isHeld && !lease.isExtended) return lease
      this.#held.shift()
    }
    return undefined
  }

  /** Likewise of those that were extended; an entry counts while its deadline is the lease's last one. */
  #nextExtended(): Extended | undefined {
    for (let due = this.#extended.peek(); due !== undefined; due = this.#extended.peek()) {
      if (due.lease.isHeld && due.lease.deadlineMs === due.deadlineMs) return due
      this.#extended.pop()
    }
    return undefined
  }
}
