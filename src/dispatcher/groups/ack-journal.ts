/**
 * What transactions have acknowledged of a group and its record in the groups file does not hold yet. The invariants are in format/ack-layout.ts.
 */
import { type OffsetRange, OffsetRanges } from '../../collections/offset-ranges.js'
import type { GroupState } from '../../format/group-layout.js'
import type { TopicHandle } from '../topic-directory.js'

/** Messages of the journal up to `end`, and what they acknowledge: of one position those that come together, however many there are. */
interface Journaled {
  end: number
  readonly acknowledged: OffsetRanges
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
    let last = this.#kept.at(-1)
    if (last?.position !== position) {
      last = { end: this.#next, acknowledged: new OffsetRanges(), position }
      this.#kept.push(last)
    }
    last.end = this.#next
    for (const { first, end } of ranges) last.acknowledged.add(first, end)
  }

  /** The group is moved: nothing of this counts any more. No transaction of the group is under way. */
  pass(): void {
    this.#kept = []
    this.#applied = this.#next
  }

  /** What goes into the record now. @param books all that is acknowledged */
  stateOf(books: GroupState): GroupState {
    const durable = this.#durable()
    const count = this.#kept.filter(({ position }) => position <= durable).length
    const left = this.#kept.slice(count)
    const { committed, ranges } = left.length === 0 ? books : without(books, left)
    let applied = 0
    while (applied < count && this.#kept[applied].acknowledged.list.every(({ end }) => end <= committed)) applied += 1
    if (applied > 0) this.#applied = this.#kept[applied - 1].end
    this.#kept.splice(0, applied)
    return { committed, ranges, applied: this.#applied }
  }
}

/** The state without what they acknowledge. */
function without({ committed, ranges }: GroupState, taken: readonly Journaled[]): GroupState {
  const left = new OffsetRanges(ranges)
  if (committed > 0) left.add(0, committed)
  for (const { acknowledged } of taken) for (const { first, end } of acknowledged.list) left.remove(first, end)
  const [lowest] = left.list
  return lowest?.first === 0
    ? { committed: lowest.end, ranges: left.list.slice(1) }
    : { committed: 0, ranges: left.list }
}
