/**
 * Acknowledgements of a group that are on their way to the log in transactions. Of two that acknowledge one message the second is refused, or what it has
 * to write would be there twice; and while one is under way the group is neither moved nor removed.
 */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import { BookendError } from '../../errors.js'
import type { GroupLedger } from './group-ledger.js'

export class DeskTransactions {
  readonly #underWay = new Set<readonly OffsetRange[]>()
  #waiting: (() => void)[] = []

  /** @throws `BOOKEND_CONFLICT` where one of the messages is done, or is about to be, or the group has been moved since it was delivered */
  begin(group: string, ledger: GroupLedger | undefined, generation: number, ranges: readonly OffsetRange[]): void {
    if (ledger === undefined || ledger.generation !== generation)
      throw ackConflict(group, 'the group was moved or removed since the message was delivered')
    for (const { first, end } of ranges) {
      for (let offset = first; offset < end; offset++)
        if (ledger.isDone(offset)) throw ackConflict(group, `message ${offset} is acknowledged already`)
      for (const others of this.#underWay)
        if (others.some((other) => other.first < end && first < other.end))
          throw ackConflict(group, `another transaction acknowledges message ${first}`)
    }
    this.enter(ranges)
  }

  /** Whoever else acknowledges them. */
  enter(ranges: readonly OffsetRange[]): void {
    this.#underWay.add(ranges)
  }

  get isUnderWay(): boolean {
    return this.#underWay.size > 0
  }

  /** It was written, or refused. @param ranges the same object */
  end(ranges: readonly OffsetRange[]): void {
    this.#underWay.delete(ranges)
    if (this.#underWay.size > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  /** Resolves when none is under way. */
  async over(): Promise<void> {
    while (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

function ackConflict(group: string, why: string): BookendError {
  return new BookendError('BOOKEND_CONFLICT', `the transaction was not written: in group "${group}" ${why}`)
}
