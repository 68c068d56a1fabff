/** Where a processor gets messages of its group, and says what became of them. */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import type { CarriedMessages } from '../../threads/reader/handler-task.js'
import type { Extendable } from '../groups/desk-requests.js'
import type { LeasedRange } from '../groups/lease.js'

/** Messages of one attempt, for this processor alone until it settles them. */
export interface WorkLease extends LeasedRange {
  /** The messages themselves from `offset` on, where the handlers' threads have no log to read them from. */
  carried?(offset: number): CarriedMessages
}

/** What is known of the group, as it is between a removal and the next. */
export interface WorkBooks {
  /** Raised by a seek, after which what was leased before means nothing. */
  readonly generation: number
  /** Everything below is done. */
  readonly committed: number
  /** Messages below `end` that are still to be done, as far as is known. */
  remaining(end: number): number
}

export interface WorkDesk {
  readonly topic: { readonly id: number; readonly name: string }
  /** Of the group. */
  readonly name: string
  /** Called after every acknowledgement, seek, removal and skip. */
  readonly changes: Set<() => void>
  /** True before {@link open} has resolved, and once the group was removed. */
  readonly needsOpen: boolean
  /** Only while it is open. */
  readonly ledger: WorkBooks
  open(from: 'first' | 'next'): Promise<void>
  /** Up to `max` messages, at once, unless somebody waits already; undefined: nothing is at hand. */
  takeInTurn(max: number): WorkLease | undefined
  /**
   * Up to `max` messages, as soon as there are any. Undefined, or a rejection: the group was removed.
   * @returns a promise, and what gives the request up: true if it was not served yet
   */
  request(max: number): { readonly lease: Promise<WorkLease | undefined>; cancel(): boolean }
  /** What is published behind the messages is added to them, as long as that is what comes next. @returns what gives it up */
  extend(holder: Extendable): () => void
  /** Resolves once they do not come again, whatever dies. */
  acknowledge(lease: WorkLease, first: number, end: number): Promise<void>
  /** Undefined: nobody but the processor says that messages are done. */
  readonly transactions?: {
    /** True if one of the messages is done after all, behind everything that is under way for them. */
    isDoneFor(generation: number, ranges: readonly OffsetRange[]): Promise<boolean>
  }
  /** For somebody else, as this attempt, in `delayMs` at the earliest. */
  giveBack(lease: WorkLease, first: number, end: number, attempt: number, delayMs: number): void
}
