/** What a seat needs of the desk of its group: the one that keeps the books, or one in another thread. */
import type { Living } from '../../collections/living.js'
import type { Lease } from './lease.js'

/** A place in the row of who asks. */
export interface AskedLease {
  readonly lease: Promise<Lease>
  /** Gives it up: true if it was not served yet. */
  cancel(): boolean
  /** Resolves when it was looked whether there is something; undefined: it was, at once. */
  readonly looked?: Promise<void>
}

export interface SeatDesk {
  /** Consumers: those who have asked for a message, and have not given their seat up. */
  readonly seats: Pick<Living<object>, 'add' | 'delete'>
  /** How often the group was removed: a consumer of before does not go on with the group of after. */
  readonly removals: number
  /** False once {@link open} has resolved. */
  readonly needsOpen: boolean
  open(from: 'first' | 'next'): Promise<void>
  /** Up to `max` messages, at once, unless somebody waits already; undefined: nothing is at hand. */
  takeInTurn(max: number): Lease | undefined
  /**
   * Up to `max` messages, as soon as there are any and everybody who asked before is served.
   * @param isAlone nothing may be leased beside what is asked for, and it is looked for it now: see {@link AskedLease.looked}
   * @param ackTimeoutMs as the seat has it: a desk of another thread than the one with the books has to tell
   */
  request(max: number, isAlone: boolean, ackTimeoutMs: number): AskedLease
  /** False: who holds the lease and has not handed the message out yet must not do so any more. */
  isWanted(lease: Lease): boolean
  acknowledge(lease: Pick<Lease, 'generation'>, first: number, end: number): Promise<void>
  giveBack(lease: Pick<Lease, 'generation'>, first: number, end: number, attempt: number, delayMs: number): void
}
