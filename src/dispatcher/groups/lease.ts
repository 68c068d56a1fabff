/** Messages given to one consumer or processor. */
import type { EngineLease } from '../../engine/group-seat.js'
import type { SeatDesk } from './seat-desk.js'

/** Who was given a message, and settles it. */
export interface LeaseHolder {
  /** Where the messages were leased. */
  readonly desk: SeatDesk
  /** A transaction has acknowledged it. */
  settled(lease: Lease): void
  acknowledge(lease: Lease): Promise<void>
  giveBack(lease: Lease, delayMs: number, attempt: number): void
  extend(lease: Lease): void
}

/** What the books say of messages that were given away; a processor holds no more than this. */
export type LeasedRange = Pick<Lease, 'first' | 'end' | 'attempt' | 'generation'>

/** What the books say of the messages, and, where a consumer holds one of them, until when: one object for both, as there is one a delivery. */
export class Lease implements EngineLease {
  readonly first: number
  /** Exclusive. */
  readonly end: number
  /** 1 for the first delivery. */
  readonly attempt: number
  /** Of the books: raised by a seek, after which the lease means nothing. */
  readonly generation: number
  /** Undefined: a processor's, or not handed out. */
  holder: LeaseHolder | undefined = undefined
  /** False once it is settled, or its time has run out. */
  isHeld = false
  isExtended = false
  /** As `performance.now()`, rounded up; 0: it has none. */
  deadlineMs = 0

  constructor(first: number, end: number, attempt: number, generation: number) {
    this.first = first
    this.end = end
    this.attempt = attempt
    this.generation = generation
  }

  get offset(): number {
    return this.first
  }

  acknowledge(): Promise<void> {
    return this.#holder().acknowledge(this)
  }

  giveBack(delayMs: number, attempt = this.attempt + 1): void {
    this.#holder().giveBack(this, delayMs, attempt)
  }

  extend(): void {
    this.#holder().extend(this)
  }

  #holder(): LeaseHolder {
    if (this.holder === undefined) throw new Error('Bookend invariant broken: a lease is settled by who was given it')
    return this.holder
  }
}
