/**
 * The books of a group: which offsets were handed out, which are acknowledged, which wait for another attempt.
 *
 * Offsets only: it reads no message and knows no consumer; the clock is passed in. Everything below `committed` is done, above it
 * are the acknowledged ranges, everything from `next` on was never handed out. What is neither acknowledged nor waiting here is
 * with somebody. Invariant: what is acknowledged is never handed out again.
 *
 * What a group need not be given counts as done as well: it is *passed*. That is found out anew after a crash, so it is not written for its own
 * sake.
 */

import { Heap } from '../../collections/heap.js'
import { type OffsetRange, OffsetRanges } from '../../collections/offset-ranges.js'
import { assert } from '../../errors.js'
import type { GroupState } from '../../format/group-layout.js'
import { Lease } from './lease.js'

/** Messages that come again. */
interface Returned {
  readonly first: number
  readonly end: number
  readonly attempt: number
  readonly dueMs: number
}

export class GroupLedger implements GroupState {
  #committed: number
  #next: number
  #generation: number
  readonly #done: OffsetRanges
  /** What of {@link #done} was passed; undefined: nothing ever was. */
  #passed: OffsetRanges | undefined
  /** Due later, the earliest first; and due, the lowest offset first. */
  readonly #later = new Heap<Returned>((a, b) => a.dueMs < b.dueMs)
  readonly #due = new Heap<Returned>((a, b) => a.first < b.first)

  /** @param generation above that of every ledger the same group had before */
  constructor(state: GroupState, generation = 0) {
    this.#generation = generation
    this.#committed = state.committed
    this.#next = state.committed
    this.#done = new OffsetRanges(state.ranges)
    this.#settle()
  }

  /** All offsets below are done. */
  get committed(): number {
    return this.#committed
  }

  /** What is acknowledged above a gap, with what was passed beside it. Not a copy: it changes with the books. */
  get ranges(): readonly OffsetRange[] {
    // There is room for few of them, and those alone would be of no use.
    return this.#passed === undefined ? this.#done.list : this.#done.list.filter((range) => !this.#isPassed(range))
  }

  /** Nothing at or above this was ever handed out. */
  get next(): number {
    return this.#next
  }

  /** Raised by {@link seek}: leases of an older generation mean nothing any more. */
  get generation(): number {
    return this.#generation
  }

  /**
   * Hands out up to `max` offsets: the lowest of those that come again and are due, otherwise new ones, and with them what was passed between
   * them.
   * @param end of what may be handed out
   */
  take(max: number, end: number, nowMs: number): Lease | undefined {
    const generation = this.#generation
    const again = this.#nextDue(nowMs)
    if (again !== undefined) {
      this.#due.pop()
      const stop = this.#stretchEnd(again.first, Math.min(again.end, again.first + max))
      assert(again.first >= this.#committed && stop <= this.#next, 'what comes again was given away, and is not done')
      if (stop < again.end) this.#due.push({ ...again, first: stop })
      return new Lease(again.first, stop, again.attempt, generation)
    }
    const first = this.#nextFresh()
    if (first >= end) return undefined
    this.#next = this.#windowEnd(first, max, end)
    return new Lease(first, this.#next, 1, generation)
  }

  /**
   * Hands out up to `max` more offsets to who holds those up to `from`, if they are what {@link take} would hand out next.
   * @param end of what may be handed out
   * @returns where they end; `from`: there are none now; undefined: something else comes next
   */
  extend(generation: number, from: number, max: number, end: number, nowMs: number): number | undefined {
    if (generation !== this.#generation || this.#nextDue(nowMs) !== undefined) return undefined
    const fresh = this.#nextFresh()
    if (fresh !== from && !this.#isPassed({ first: from, end: fresh })) return undefined
    if (fresh >= end) return from
    this.#next = this.#windowEnd(fresh, max, end)
    return this.#next
  }

  /** The lowest offset that {@link take} can hand out; undefined: none. */
  peek(end: number, nowMs: number): number | undefined {
    const fresh = this.#nextFresh()
    return this.#nextDue(nowMs)?.first ?? (fresh < end ? fresh : undefined)
  }

  /**
   * The offsets are done, whoever holds them now: a late acknowledgement says the truth as well.
   * @returns false if that changes nothing
   */
  acknowledge(lease: Pick<Lease, 'generation'>, first: number, end: number): boolean {
    if (lease.generation !== this.#generation || end <= this.#committed || end <= first) return false
    assert(end <= this.#next, 'only what was given away is acknowledged')
    if (first <= this.#committed) {
      this.#committed = end
      this.#done.removeBelow(end)
      this.#settle()
      return true
    }
    return this.#done.add(first, end)
  }

  /** Nobody has to be given these offsets: they count as done. Whoever holds some of them may still settle them. */
  pass(first: number, end: number): void {
    if (end <= this.#committed || end <= first) return
    this.#passed ??= new OffsetRanges()
    this.#passed.add(first, end)
    this.#done.add(first, end)
    this.#settle()
  }

  /** The lowest offset that was never handed out and is not done; it may lie behind what is published. */
  get fresh(): number {
    return this.#nextFresh()
  }

  /** What of the offsets is not done, in order. */
  open(first: number, end: number): OffsetRange[] {
    const open: OffsetRange[] = []
    for (let at = first; at < end; ) {
      const stop = this.#stretchEnd(at, end)
      if (stop > at) open.push({ first: at, end: stop })
      at = this.#done.atOrAbove(stop)?.end ?? end
    }
    return open
  }

  /** The offsets come again, as this attempt, not before `dueMs`. Those acknowledged meanwhile do not. */
  giveBack(lease: Pick<Lease, 'generation'>, first: number, end: number, attempt: number, dueMs: number): void {
    if (lease.generation !== this.#generation || end <= first) return
    assert(end <= this.#next, 'only what was given away is given back')
    this.#later.push({ first, end, attempt, dueMs })
  }

  /** Goes on from `to`, in whichever direction. Everything handed out before is forgotten. */
  seek(to: number): void {
    this.#generation += 1
    this.#committed = to
    this.#next = to
    this.#done.removeBelow(Number.POSITIVE_INFINITY)
    this.#passed = undefined
    this.#later.clear()
    this.#due.clear()
  }

  /** Messages below `first` are gone. @returns how many of them were never acknowledged */
  skipBelow(first: number): number {
    if (first <= this.#committed) return 0
    const before = this.#done.size
    this.#done.removeBelow(first)
    const skipped = first - this.#committed - (before - this.#done.size)
    this.#committed = first
    this.#settle()
    return skipped
  }

  isDone(offset: number): boolean {
    return offset < this.#committed || this.#done.has(offset)
  }

  /** How many offsets below `end` are not acknowledged. */
  remaining(end: number): number {
    return Math.max(0, end - this.#committed - this.#done.size)
  }

  /** When something that was given back falls due; Infinity: nothing waits. */
  nextDueMs(): number {
    return this.#due.length > 0 ? Number.NEGATIVE_INFINITY : (this.#later.peek()?.dueMs ?? Number.POSITIVE_INFINITY)
  }

  /** A range that has come to touch the committed prefix becomes part of it. */
  #settle(): void {
    const lowest = this.#done.list[0]
    if (lowest !== undefined && lowest.first <= this.#committed) {
      this.#committed = Math.max(this.#committed, lowest.end)
      this.#done.removeBelow(this.#committed)
    }
    this.#next = Math.max(this.#next, this.#committed)
    this.#passed?.removeBelow(this.#committed)
  }

  #isPassed({ first, end }: OffsetRange): boolean {
    const passed = this.#passed?.atOrAbove(first)
    return passed !== undefined && passed.first <= first && passed.end >= end
  }

  #nextFresh(): number {
    const done = this.#done.atOrAbove(this.#next)
    if (done !== undefined && done.first <= this.#next) this.#next = done.end
    return this.#next
  }

  /** End of the stretch from `first` on in which nothing is acknowledged. */
  #stretchEnd(first: number, end: number): number {
    return Math.min(end, this.#done.atOrAbove(first)?.first ?? end)
  }

  /** End of `max` offsets from `first` on which are not done, if there are so many, with what was passed between them and nothing else. */
  #windowEnd(first: number, max: number, end: number): number {
    let left = max
    for (let at = first; ; ) {
      const stop = this.#stretchEnd(at, Math.min(end, at + left))
      left -= stop - at
      const done = left > 0 && stop < end ? this.#done.atOrAbove(stop) : undefined
      // Nothing is passed at the end of a window: whoever has it would have nothing to do for it.
      if (done === undefined || done.end >= end || !this.#isPassed(done)) return stop
      at = done.end
    }
  }

  /** The lowest stretch that is due, without what was acknowledged while it waited. It stays in the heap. */
  #nextDue(nowMs: number): Returned | undefined {
    for (let first = this.#later.peek(); first !== undefined && first.dueMs <= nowMs; first = this.#later.peek()) {
      this.#later.pop()
      this.#due.push(first)
    }
    for (let lowest = this.#due.peek(); lowest !== undefined; lowest = this.#due.peek()) {
      const done = this.#done.atOrAbove(lowest.first)
      const isDone = done !== undefined && done.first <= lowest.first
      const first = Math.max(this.#committed, isDone ? done.end : lowest.first)
      if (first === lowest.first) return lowest
      this.#due.pop()
      if (first < lowest.end) this.#due.push({ ...lowest, first })
    }
    return undefined
  }
}
