/**
 * What one other thread of the application has of a group, on the thread that keeps the books: it asks at the desk in that thread's
 * name, and knows what the thread holds, so that it comes back when the thread ends.
 *
 * A thread that does not turn any more (blocked, or in an endless loop) settles nothing, and does not see that the time of its consumers
 * has run out. So their time is counted here as well: when it is over, the thread is asked whether it is there. Then it sees to its
 * deadlines itself; if it does not answer, what it holds goes to others.
 */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import { type GroupDesk, GroupRemovedError } from './group-desk.js'
import { HeldStretches } from './held-stretches.js'
import type { Lease, LeasedRange } from './lease.js'
import { TermClock } from './term-clock.js'

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
export interface GivenLease extends Pick<Lease, 'first' | 'end' | 'attempt' | 'generation'> {
  /** What of it is to be dealt out: the rest was passed. Undefined: all. */
  readonly open?: readonly OffsetRange[]
}

/** The way to the other thread. What is said arrives in this order. */
export interface BranchLine {
  given(ask: number, lease: GivenLease): void
  /** There is nothing at this moment. */
  nothing(ask: number): void
  /** Nothing will ever come. */
  failed(ask: number, error: unknown): void
  changed(state: DeskState): void
  /** Resolves if the thread is there. */
  whenThere(): Promise<void>
  /** They were given to others. */
  withdrawn(first: number, end: number): void
}

/** Terms end at multiples of this, so that what is leased within one goes together. */
const termStepMs = 100
/** A thread that turns its event loop answers within this. */
const patienceMs = 1_000

export class DeskBranch {
  readonly #desk: GroupDesk
  readonly #line: BranchLine
  readonly #held = new HeldStretches()
  /** Stand at the desk for the consumers of that thread. */
  readonly #seats: object[] = []
  /** What gives those up that wait at the desk, by the number of the ask. */
  readonly #waiting = new Map<number, () => boolean>()
  readonly #clock = new TermClock(() => void this.#lookAfter())
  /** Of all terms. */
  #longestMs = 0
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

  /**
   * @param mayWait false: only if there is something now, and nobody waits for it
   * @param ackTimeoutMs the thread gives back by itself what is not settled so long
   */
  ask(number: number, max: number, mayWait: boolean, ackTimeoutMs: number): void {
    // Also where it is there again: the thread has not heard yet that the one is gone for which it asks.
    if (this.#desk.needsOpen || this.#desk.ledger.generation !== this.#told.generation) {
      this.#line.failed(number, new GroupRemovedError('the group was removed'))
      return
    }
    const taken = this.#desk.takeInTurn(max)
    if (taken !== undefined) {
      this.#give(number, taken, ackTimeoutMs)
      return
    }
    this.#line.nothing(number)
    if (!mayWait) return
    const { lease, cancel } = this.#desk.request(max)
    this.#waiting.set(number, cancel)
    lease.then(
      (late) => {
        // The ask may have been given up, or the thread have ended, between the desk's answer and this turn of the microtasks.
        if (!this.#waiting.delete(number)) this.#desk.giveBack(late, late.first, late.end, late.attempt, 0)
        // Or the group was moved or removed: nothing was leased.
        else if (late.generation !== this.#told.generation) this.ask(number, max, true, ackTimeoutMs)
        else this.#give(number, late, ackTimeoutMs)
      },
      (error) => {
        this.#waiting.delete(number)
        if (!this.#isOver) this.#line.failed(number, error)
      },
    )
  }

  /**
   * Nobody wants it any more. If it was answered meanwhile, the thread passes over the answer, which goes back here: before anything else that
   * the thread asks.
   */
  cancel(number: number): void {
    const cancel = this.#waiting.get(number)
    if (cancel !== undefined) {
      this.#waiting.delete(number)
      cancel()
      return
    }
    const { generation } = this.#told
    for (const { first, end, attempt } of this.#held.removeAnswer(number))
      this.#desk.giveBack({ generation }, first, end, attempt, 0)
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

  /** A transaction has acknowledged them. */
  noteDone(generation: number, ranges: readonly OffsetRange[]): void {
    if (generation !== this.#told.generation) return
    for (const { first, end } of ranges) this.#held.remove(first, end)
  }

  giveBack({ generation, first, end, attempt }: LeasedRange, delayMs: number): void {
    if (generation !== this.#told.generation) return
    // Not what others have got meanwhile.
    for (const each of this.#held.remove(first, end))
      this.#desk.giveBack({ generation }, each.first, each.end, attempt, delayMs)
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
    this.#clock.stop()
    this.#desk.changes.delete(this.#look)
    this.seats(0)
    for (const cancel of this.#waiting.values()) cancel()
    this.#waiting.clear()
    const { generation } = this.#told
    for (const { first, end, attempt } of this.#held.drain())
      this.#desk.giveBack({ generation }, first, end, attempt + 1, 0)
  }

  #give(number: number, lease: Lease, ackTimeoutMs: number): void {
    const { first, end, attempt, generation } = lease
    const untilMs = endOfTerm(ackTimeoutMs)
    this.#longestMs = Math.max(this.#longestMs, ackTimeoutMs)
    const open = this.#desk.ledger.open(first, end)
    for (const range of open) this.#held.add({ ...range, attempt, ask: number, untilMs })
    this.#clock.watch(untilMs)
    const given = { first, end, attempt, generation }
    this.#line.given(number, open.length === 1 && open[0].end === end ? given : { ...given, open })
  }

  /** A term is over: whoever is there goes on with what it holds. */
  async #lookAfter(): Promise<void> {
    const nowMs = performance.now()
    if (this.#held.dueMs <= nowMs) {
      const isThere = await inTime(this.#line.whenThere())
      if (this.#isOver) return
      if (isThere) this.#held.renew(nowMs, endOfTerm(this.#longestMs))
      else this.#withdraw(nowMs)
    }
    this.#clock.watch(this.#held.dueMs)
  }

  /** The terms that were over then. What the thread says of them later is still heard: that they are done, and no more. */
  #withdraw(nowMs: number): void {
    const { generation } = this.#told
    for (const { first, end, attempt } of this.#held.drainDue(nowMs)) {
      this.#line.withdrawn(first, end)
      this.#desk.giveBack({ generation }, first, end, attempt + 1, 0)
    }
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

function endOfTerm(ackTimeoutMs: number): number {
  return Math.ceil((performance.now() + ackTimeoutMs) / termStepMs) * termStepMs
}

/** Whether it resolves within {@link patienceMs}, in which this thread has turned as well. */
async function inTime(answered: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    // A turn later: this thread may be the one that was blocked, and the answer lie there.
    timer = setTimeout(() => setImmediate(resolve, false), patienceMs).unref()
  })
  const isThere = answered.then(
    () => true,
    () => false,
  )
  const first = await Promise.race([isThere, late])
  clearTimeout(timer)
  return first
}
