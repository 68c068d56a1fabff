/**
 * What one other thread of the application has of a group, on the thread that keeps the books: it asks at the desk in that thread's
 * name, and knows what the thread holds, so that it comes back when the thread ends.
 */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import { type GroupDesk, GroupRemovedError } from './group-desk.js'
import { HeldStretches } from './held-stretches.js'
import type { Lease, LeasedRange } from './lease.js'

/** Where the books are: whoever holds leases of another generation, or of before a removal, holds nothing any more. */
export interface DeskState {
  readonly generation: number
  /** How often the group was removed. */
  readonly removals: number
  /** False: it was removed, and nobody has used it since. */
  readonly isOpen: boolean
  readonly committed: number
}

/** Lease as it travels. */
export type GivenLease = Pick<Lease, 'first' | 'end' | 'attempt' | 'generation'>

/** The way to the other thread. What is said arrives in this order. */
export interface BranchLine {
  given(ask: number, lease: GivenLease): void
  /** There is nothing at this moment. */
  nothing(ask: number): void
  /** Nothing will ever come. */
  failed(ask: number, error: unknown): void
  changed(state: DeskState): void
}

export class DeskBranch {
  readonly #desk: GroupDesk
  readonly #line: BranchLine
  readonly #held = new HeldStretches()
  /** Stand at the desk for the consumers of that thread. */
  readonly #seats: object[] = []
  /** What gives those up that wait at the desk, by the number of the ask. */
  readonly #waiting = new Map<number, () => boolean>()
  #told: DeskState
  #isOver = false

  constructor(desk: GroupDesk, line: BranchLine) {
    this.#desk = desk
    this.#line = line
    this.#told = this.#state()
    desk.changes.add(this.#look)
  }

  /** See {@link GroupDesk.open}. */
  async open(from: 'first' | 'next'): Promise<void> {
    await this.#desk.open(from)
    // Told, not returned: an answer could come behind a change.
    this.#tell()
  }

  /** @param mayWait false: only if there is something now, and nobody waits for it */
  ask(number: number, max: number, mayWait: boolean): void {
    if (this.#desk.needsOpen) {
      this.#line.failed(number, new GroupRemovedError('the group was removed'))
      return
    }
    const taken = this.#desk.takeInTurn(max)
    if (taken !== undefined) {
      this.#give(number, taken)
      return
    }
    this.#line.nothing(number)
    if (!mayWait) return
    const { lease, cancel } = this.#desk.request(max)
    this.#waiting.set(number, cancel)
    lease.then(
      (late) => {
        this.#waiting.delete(number)
        this.#give(number, late)
      },
      (error) => {
        this.#waiting.delete(number)
        if (!this.#isOver) this.#line.failed(number, error)
      },
    )
  }

  /** Nobody wants it any more. What was given in the same moment is given. */
  cancel(number: number): void {
    const cancel = this.#waiting.get(number)
    this.#waiting.delete(number)
    cancel?.()
  }

  /** Resolves as {@link GroupDesk.acknowledge}. @returns the committed offset */
  async acknowledge(generation: number, ranges: readonly OffsetRange[]): Promise<number> {
    await Promise.all(
      ranges.map(({ first, end }) => {
        if (generation === this.#told.generation) this.#held.remove(first, end)
        return this.#desk.acknowledge({ generation }, first, end)
      }),
    )
    return this.#state().committed
  }

  giveBack({ generation, first, end, attempt }: LeasedRange, delayMs: number): void {
    if (generation !== this.#told.generation) return
    this.#held.remove(first, end)
    this.#desk.giveBack({ generation }, first, end, attempt, delayMs)
  }

  /** The thread has so many consumers. */
  seats(count: number): void {
    const { seats } = this.#desk
    while (this.#seats.length < count) {
      const seat = {}
      this.#seats.push(seat)
      seats.add(seat)
    }
    for (const seat of this.#seats.splice(count)) seats.delete(seat)
  }

  /** The thread is gone, or has left: what it holds is for others, at once. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#desk.changes.delete(this.#look)
    this.seats(0)
    for (const cancel of this.#waiting.values()) cancel()
    this.#waiting.clear()
    const { generation } = this.#told
    for (const { first, end, attempt } of this.#held.drain())
      this.#desk.giveBack({ generation }, first, end, attempt + 1, 0)
  }

  #give(number: number, lease: Lease): void {
    const { first, end, attempt, generation } = lease
    // It may have ended between the desk's answer and this turn of the microtasks.
    if (this.#isOver) {
      this.#desk.giveBack(lease, first, end, attempt, 0)
      return
    }
    this.#held.add({ first, end, attempt })
    this.#line.given(number, { first, end, attempt, generation })
  }

  #state(): DeskState {
    const { needsOpen, removals } = this.#desk
    if (needsOpen) return { generation: -1, removals, isOpen: false, committed: 0 }
    const { generation, committed } = this.#desk.ledger
    return { generation, removals, isOpen: true, committed }
  }

  readonly #look = (): void => {
    const { generation, removals } = this.#told
    const isSame =
      this.#desk.removals === removals && (this.#desk.needsOpen || this.#desk.ledger.generation === generation)
    if (isSame) return
    // Their leases mean nothing any more, at the desk as well.
    this.#held.drain()
    this.#tell()
  }

  #tell(): void {
    this.#told = this.#state()
    this.#line.changed(this.#told)
  }
}
