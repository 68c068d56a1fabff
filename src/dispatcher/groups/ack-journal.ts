/**
 * What transactions have acknowledged of a group and its record in the groups file does not hold yet. The invariants are in format/ack-layout.ts.
 */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import type { GroupState } from '../../format/group-layout.js'
import type { TopicHandle } from '../topic-directory.js'

/** Messages of the journal up to `end`, and what they acknowledge. */
interface Journaled {
  readonly end: number
  readonly ranges: readonly OffsetRange[]
  /** They are on the device when the log is so far. */
  readonly position: number
}

export class AckJournal {
  readonly topic: TopicHandle
  readonly #durable: () => number
  /** In the order of the log. */
  #kept: Journaled[] = []
  #applied: number
  #next: number

  /**
   * @param durable the position up to which the log is on the device
   * @param applied so many of its messages are in the state of the group
   */
  constructor(topic: TopicHandle, durable: () => number, applied: number) {
    this.topic = topic
    this.#durable = durable
    this.#applied = applied
    this.#next = applied
  }

  /** Something of it is not in the group's record, or was not the last time that one was asked for. */
  get isOpen(): boolean {
    return this.#kept.length > 0
  }

  /** The record that was asked for last holds all messages below. */
  get applied(): number {
    return this.#applied
  }

  /** A transaction is published: what it acknowledges is in the books. @param offset of its message here */
  add(offset: number, ranges: readonly OffsetRange[], position: number): void {
    this.#next = Math.max(this.#next, offset + 1)
    this.#kept.push({ end: this.#next, ranges, position })
  }

  /** The group is moved: nothing of this counts any more. No transaction of the group is under way. */
  pass(): void {
    this.#kept = []
    this.#applied = this.#next
  }

  /** What goes into the record now. @param books all that is acknowledged */
  stateOf(books: GroupState): GroupState {
    const { committed, ranges } = books
    const durable = this.#durable()
    const count = this.#kept.filter(({ position }) => position <= durable).length
    const left = this.#kept.slice(count)
    const state =
      left.length === 0
        ? { committed, ranges }
        : without(
            books,
            left.flatMap((each) => each.ranges),
          )
    let applied = 0
    while (applied < count && this.#kept[applied].ranges.every(({ end }) => end <= state.committed)) applied += 1
    if (applied > 0) this.#applied = this.#kept[applied - 1].end
    this.#kept.splice(0, applied)
    return { ...state, applied: this.#applied }
  }
}

/** The state without some offsets. */
function without({ committed, ranges }: GroupState, taken: readonly OffsetRange[]): GroupState {
  let left: OffsetRange[] = [{ first: 0, end: committed }, ...ranges]
  for (const { first, end } of taken)
    left = left.flatMap((range) =>
      [
        { first: range.first, end: Math.min(range.end, first) },
        { first: Math.max(range.first, end), end: range.end },
      ].filter((part) => part.end > part.first),
    )
  const [lowest] = left
  return lowest?.first === 0 ? { committed: lowest.end, ranges: left.slice(1) } : { committed: 0, ranges: left }
}
