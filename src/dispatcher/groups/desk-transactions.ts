/**
 * Acknowledgements of a group that are on their way to the log in transactions. Of two that acknowledge one message the second is refused, or what it has
 * to write would be there twice; and while one is under way the group is neither moved nor removed.
 */
import { type OffsetRange, OffsetRanges } from '../../collections/offset-ranges.js'
import { BookendError } from '../../errors.js'
import type { TopicHandle } from '../topic-directory.js'
import type { StoredGroup } from './group-entry.js'
import type { GroupLedger } from './group-ledger.js'

/** The books of a group, and where they are written. */
export interface OpenGroup {
  readonly ledger: GroupLedger
  readonly stored: StoredGroup
}

/** Their desk. */
export interface TransactionsDesk {
  readonly topic: { readonly name: string }
  readonly name: string
  /** Undefined: the group is not open. */
  openGroup(): OpenGroup | undefined
  /** Offset of the topic's next message. */
  next(): number
  announceChange(): void
}

/** Acknowledgements that a transaction writes. */
export interface StartedTransaction {
  /** Where they are to be written. */
  readonly journal: TopicHandle
  readonly ranges: readonly OffsetRange[]
  /** They are: at that offset of the journal, and below that position of the log. */
  written(offset: number, position: number): void
  /** Nothing was written. */
  refused(): void
}

export class DeskTransactions {
  readonly #desk: TransactionsDesk
  #underWay = 0
  /** What {@link acknowledge} has let in, of which no offset is there twice. */
  readonly #offsets = new OffsetRanges()
  /** What acknowledges whatever others do. */
  readonly #commits = new Set<readonly OffsetRange[]>()
  #waiting: (() => void)[] = []
  /** Who is about to move or remove the group, and waits until none is under way. */
  #movers = 0

  constructor(desk: TransactionsDesk) {
    this.#desk = desk
  }

  get isUnderWay(): boolean {
    return this.#underWay > 0
  }

  /**
   * Resolves when none is under way. Meanwhile none begins that would be of before the move. Whoever waited looks again: one may have begun
   * since.
   */
  async over(): Promise<void> {
    this.#movers += 1
    while (this.isUnderWay) await this.#nextEnd()
    this.#movers -= 1
  }

  /** True once one of them is done, or none of them means anything any more. Transactions that are under way with them are waited for. */
  async isDoneFor(generation: number, ranges: readonly OffsetRange[]): Promise<boolean> {
    while (this.#met(ranges) !== undefined) await this.#nextEnd()
    const ledger = this.#desk.openGroup()?.ledger
    if (ledger === undefined || ledger.generation !== generation) return true
    return ranges.some(({ first, end }) => {
      for (let offset = first; offset < end; offset++) if (ledger.isDone(offset)) return true
      return false
    })
  }

  /**
   * The messages are about to be acknowledged in a transaction: until it is over no other one does that.
   * @throws `BOOKEND_CONFLICT` where one of the messages is done, or is about to be, or the group has been moved since it was delivered
   */
  acknowledge(generation: number, ranges: readonly OffsetRange[]): StartedTransaction {
    const { name } = this.#desk
    const group = this.#desk.openGroup()
    if (group === undefined || group.ledger.generation !== generation || this.#movers > 0)
      throw ackConflict(name, 'the group was moved or removed since the message was delivered')
    for (const { first, end } of ranges)
      for (let offset = first; offset < end; offset++)
        if (group.ledger.isDone(offset)) throw ackConflict(name, `message ${offset} is acknowledged already`)
    const others = this.#met(ranges)
    if (others !== undefined) throw ackConflict(name, `another transaction acknowledges message ${others.first}`)
    for (const { first, end } of ranges) this.#offsets.add(first, end)
    return this.#begin(group, ranges, undefined)
  }

  /** The same of all messages below `offset`, whoever has them. @throws RangeError where there are not so many; `BOOKEND_CONFLICT` where the group is gone */
  commit(offset: number): StartedTransaction {
    const { topic, name, next, openGroup } = this.#desk
    const end = next()
    if (offset > end)
      throw new RangeError(`offset ${offset} of topic "${topic.name}" is not written yet: the next one is ${end}`)
    const group = openGroup()
    if (group === undefined) throw ackConflict(name, 'nothing is acknowledged: it was removed meanwhile')
    const ranges = group.ledger.open(group.ledger.committed, offset)
    this.#commits.add(ranges)
    return this.#begin(group, ranges, offset)
  }

  #begin(group: OpenGroup, ranges: readonly OffsetRange[], committed: number | undefined): StartedTransaction {
    this.#underWay += 1
    return new DeskTransaction(this, group, ranges, committed)
  }

  /** For {@link DeskTransaction}, once. */
  end({ ranges, committed }: DeskTransaction, isWritten: boolean): void {
    this.#underWay -= 1
    if (committed !== undefined) this.#commits.delete(ranges)
    else for (const { first, end } of ranges) this.#offsets.remove(first, end)
    if (this.#waiting.length > 0) this.#wake()
    if (isWritten) this.#desk.announceChange()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const look of waiting) look()
  }

  #nextEnd(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** What of these a transaction under way acknowledges. */
  #met(ranges: readonly OffsetRange[]): OffsetRange | undefined {
    for (const range of ranges) {
      const next = this.#offsets.atOrAbove(range.first)
      if (next !== undefined && next.first < range.end) return range
      for (const commit of this.#commits) if (commit.some((other) => overlaps(other, range))) return range
    }
    return undefined
  }
}

/** One object for all that is known of it: there are thousands under way. */
class DeskTransaction implements StartedTransaction {
  readonly ranges: readonly OffsetRange[]
  /** The group is moved there; undefined: the ranges are acknowledged. */
  readonly committed: number | undefined
  readonly #desk: DeskTransactions
  readonly #group: OpenGroup
  readonly #generation: number
  #isOver = false

  constructor(desk: DeskTransactions, group: OpenGroup, ranges: readonly OffsetRange[], committed: number | undefined) {
    this.ranges = ranges
    this.committed = committed
    this.#desk = desk
    this.#group = group
    this.#generation = group.ledger.generation
  }

  get journal(): TopicHandle {
    return this.#group.stored.journal.topic
  }

  written(offset: number, position: number): void {
    const { ledger, stored } = this.#group
    stored.journal.add(offset, this.ranges, position)
    if (this.committed !== undefined) ledger.skipBelow(this.committed)
    else for (const { first, end } of this.ranges) ledger.acknowledge({ generation: this.#generation }, first, end)
    // From here on these are what is written of it.
    stored.state = ledger
    this.#end(true)
  }

  refused(): void {
    if (!this.#isOver) this.#end(false)
  }

  #end(isWritten: boolean): void {
    this.#isOver = true
    this.#desk.end(this, isWritten)
  }
}

function overlaps(one: OffsetRange, other: OffsetRange): boolean {
  return one.first < other.end && other.first < one.end
}

function ackConflict(group: string, why: string): BookendError {
  return new BookendError('BOOKEND_CONFLICT', `the transaction was not written: in group "${group}" ${why}`)
}
