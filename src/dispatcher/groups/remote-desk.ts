/**
 * The desk of a group in a thread that does not keep its books: it leases windows from the desk of the thread that does, and deals
 * them out to the seats of this thread, one message at a time.
 *
 * A window is as long as it is dealt out within some milliseconds. What nobody here asks for goes back soon, as if it had never been
 * given: a thread that has stopped asking keeps nothing from the others.
 */

import { Living } from '../../collections/living.js'
import type { OffsetRange } from '../../collections/offset-ranges.js'
import { assert } from '../../errors.js'
import type { KeepAlive } from '../keep-alive.js'
import { AckBatch } from './ack-batch.js'
import type { DeskState, GivenLease } from './desk-branch.js'
import { DeskStock } from './desk-stock.js'
import { GroupRemovedError } from './group-desk.js'
import { Lease, type LeasedRange } from './lease.js'
import type { AskedLease, SeatDesk } from './seat-desk.js'
import { ToldDone } from './told-done.js'

/** A window that is dealt out faster than this may be longer, one that takes twice as long is too long. */
const windowMs = 20
/** Each window costs a turn of the owner's event loop: of a fast consumer that is a millisecond of work or two before the next one is asked for. */
const maxWindow = 1 << 14

/** The way to the desk. What is said arrives in this order. */
export interface DeskLine {
  /** Says where the books are ({@link RemoteDesk.changed}) before it resolves. */
  open(from: 'first' | 'next'): Promise<void>
  /** Answered by {@link RemoteDesk.given}, {@link RemoteDesk.nothing} or {@link RemoteDesk.failed}. @param mayWait false: only what is there now */
  ask(number: number, max: number, mayWait: boolean, ackTimeoutMs: number): void
  /** If it was answered meanwhile, the answer goes back there, and is passed over here. */
  cancel(number: number): void
  /** @returns the committed offset behind them, once they are written */
  acknowledge(generation: number, ranges: readonly OffsetRange[]): Promise<number>
  giveBack(range: LeasedRange, delayMs: number): void
  /** How many consumers there are in this thread. */
  seats(count: number): void
}

/** Somebody in this thread who waits. */
interface Waiting {
  give(lease: Lease): void
  /** It was looked for something, and there was nothing. */
  noteNothing(): void
  reject(error: unknown): void
}

export class RemoteDesk implements SeatDesk {
  readonly seats: SeatDesk['seats']
  readonly #line: DeskLine
  readonly #keepAlive: Pick<KeepAlive, 'hold' | 'release'>
  readonly #stock: DeskStock
  readonly #done = new ToldDone()
  #state: DeskState | undefined
  #removals = 0
  #opening: Promise<void> | undefined
  #asks = 0
  /** Those who want one message and nothing beside it, each under the number of an ask of his own. */
  readonly #alone = new Map<number, Waiting>()
  /** Those who are served out of the stock, in the order of asking. */
  readonly #inRow = new Set<Waiting>()
  /** For the stock, one at a time. */
  #ask: { readonly number: number; readonly mayWait: boolean } | undefined
  #window = 1
  /** Of the seats that are served out of the stock, the most patient. */
  #ackTimeoutMs = 0
  #givenMs = 0
  #acks: AckBatch | undefined

  /** @param keepAlive of this thread, which does not end while somebody waits in it */
  constructor(line: DeskLine, keepAlive: Pick<KeepAlive, 'hold' | 'release'>) {
    this.#line = line
    this.#keepAlive = keepAlive
    this.#stock = new DeskStock((range) => {
      this.#window = 1
      line.giveBack(range, 0)
      // What is on its way to it comes behind what goes back.
      if (this.#ask?.mayWait === false) this.#cancelAsk()
    })
    const seats = new Living<object>()
    const told = (change: (seat: object) => void) => (seat: object) => {
      change(seat)
      line.seats(seats.count())
    }
    this.seats = { add: told((seat) => seats.add(seat)), delete: told((seat) => seats.delete(seat)) }
  }

  get removals(): number {
    return this.#removals
  }

  get needsOpen(): boolean {
    return this.#state?.isOpen !== true
  }

  open(from: 'first' | 'next'): Promise<void> {
    if (!this.needsOpen) return Promise.resolve()
    this.#opening ??= this.#line.open(from).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  /** One message: a seat asks for no more at a time. */
  takeInTurn(): Lease | undefined {
    return this.#inRow.size + this.#alone.size === 0 ? this.#deal() : undefined
  }

  request(_max: number, isAlone: boolean, ackTimeoutMs = Number.POSITIVE_INFINITY): AskedLease {
    let waiting!: Waiting
    let noteNothing!: () => void
    const looked = new Promise<void>((resolve) => {
      noteNothing = resolve
    })
    const lease = new Promise<Lease>((give, reject) => {
      waiting = { give, noteNothing, reject }
    })
    this.#keepAlive.hold()
    const release = () => this.#keepAlive.release()
    lease.then(release, release)
    const giveUp = isAlone ? this.#askAlone(waiting, ackTimeoutMs) : this.#joinRow(waiting, ackTimeoutMs)
    // What is given up is never answered.
    const cancel = () => {
      const isGivenUp = giveUp()
      if (isGivenUp) release()
      return isGivenUp
    }
    return { lease, looked, cancel }
  }

  isWanted(lease: Lease): boolean {
    return lease.generation === this.#state?.generation && !this.#done.has(lease.first)
  }

  /** True for what this thread has acknowledged, and what it knows that others have. */
  isDone(offset: number): boolean {
    return this.#done.has(offset)
  }

  acknowledge(lease: Pick<Lease, 'generation'>, first: number, end: number): Promise<void> {
    const { generation } = lease
    if (this.#state?.generation !== generation) return Promise.resolve()
    this.#done.add(first, end)
    // Whoever had them before says that they are done: then they are not dealt out once more.
    this.#stock.remove(first, end)
    if (this.#acks === undefined) {
      this.#acks = new AckBatch(generation)
      // At the end of the turn: a microtask would come between any two messages that a loop is given.
      setImmediate(this.sendAcknowledgements)
    }
    return this.#acks.add(first, end)
  }

  /** A transaction has acknowledged it. */
  noteDone({ generation, first, end }: Lease): void {
    if (this.#state?.generation === generation) this.#done.add(first, end)
  }

  giveBack(lease: Pick<Lease, 'generation'>, first: number, end: number, attempt: number, delayMs: number): void {
    const { generation } = lease
    if (this.#state?.generation !== generation) return
    this.sendAcknowledgements()
    this.#line.giveBack({ first, end, attempt, generation }, delayMs)
    // What comes again at once comes before what follows it.
    if (delayMs > 0) return
    this.#stock.giveBack()
    if (this.#ask?.mayWait === false) this.#cancelAsk()
  }

  /** Those of this turn, which travel together. Called before anything is asked whose answer they may change. */
  readonly sendAcknowledgements = (): void => {
    const acks = this.#acks
    if (acks === undefined) return
    this.#acks = undefined
    acks.settle(this.#line.acknowledge(acks.generation, acks.ranges), (committed) => {
      if (acks.generation === this.#state?.generation) this.#done.commit(committed)
    })
  }

  /** The desk's answer. */
  given(number: number, given: GivenLease): void {
    const alone = this.#alone.get(number)
    this.#alone.delete(number)
    alone?.give(new Lease(given.first, given.end, given.attempt, given.generation))
    // One that was given up goes back from where it came.
    if (number !== this.#ask?.number) return
    assert(given.generation === this.#state?.generation, 'what is leased is of the books of which the thread knows')
    this.#ask = undefined
    this.#givenMs = performance.now()
    for (const part of given.open ?? [given]) this.#stock.add({ ...given, ...part })
    this.#serve()
  }

  /** The desk's answer. */
  nothing(number: number): void {
    this.#alone.get(number)?.noteNothing()
    if (number !== this.#ask?.number) return
    for (const waiting of this.#inRow) waiting.noteNothing()
    if (this.#ask.mayWait) return
    this.#ask = undefined
    this.#serve()
  }

  /** The desk's answer. */
  failed(number: number, error: unknown): void {
    const alone = this.#alone.get(number)
    this.#alone.delete(number)
    alone?.reject(error)
    if (number !== this.#ask?.number) return
    this.#ask = undefined
    const inRow = [...this.#inRow]
    this.#inRow.clear()
    for (const { reject } of inRow) reject(error)
  }

  /** The owner's thread has heard nothing from this one for too long, and has given them to others. */
  withdrawn(first: number, end: number): void {
    this.#stock.remove(first, end)
  }

  /** What was leased before means nothing any more. */
  changed(state: DeskState): void {
    const before = this.#state
    this.#state = state
    if (before?.generation === state.generation && before.removals === state.removals) return
    this.#stock.forget()
    this.#done.begin(state.committed)
    if (!state.isOpen || (before !== undefined && before.removals !== state.removals)) this.#endSeats()
  }

  /** This thread has removed the group: seats that have asked for nothing yet end as well. */
  noteRemoval(): void {
    if (this.#state === undefined) this.#endSeats()
  }

  /** Ends all waiting; what is in stock goes back. */
  close(error: unknown): void {
    this.sendAcknowledgements()
    this.#stock.giveBack()
    this.#reject(error)
  }

  #endSeats(): void {
    this.#removals += 1
    this.#reject(new GroupRemovedError('the group was removed'))
  }

  #reject(error: unknown): void {
    const all = [...this.#alone.values(), ...this.#inRow]
    for (const number of this.#alone.keys()) this.#line.cancel(number)
    this.#alone.clear()
    this.#inRow.clear()
    this.#leaveRow()
    for (const { reject } of all) reject(error)
  }

  /** @returns what gives it up */
  #askAlone(waiting: Waiting, ackTimeoutMs: number): () => boolean {
    const number = this.#asks++
    this.#alone.set(number, waiting)
    this.#line.ask(number, 1, true, ackTimeoutMs)
    return () => {
      if (!this.#alone.delete(number)) return false
      this.#line.cancel(number)
      return true
    }
  }

  /** @returns what gives it up */
  #joinRow(waiting: Waiting, ackTimeoutMs: number): () => boolean {
    this.#ackTimeoutMs = Math.max(this.#ackTimeoutMs, ackTimeoutMs)
    this.#inRow.add(waiting)
    this.#serve()
    return () => {
      if (!this.#inRow.delete(waiting)) return false
      this.#leaveRow()
      return true
    }
  }

  /** Nobody waits in this thread any more: nor does it at the desk. */
  #leaveRow(): void {
    if (this.#inRow.size === 0 && this.#ask?.mayWait === true) this.#cancelAsk()
  }

  #cancelAsk(): void {
    if (this.#ask === undefined) return
    this.#line.cancel(this.#ask.number)
    this.#ask = undefined
  }

  /** Those in the row, as far as the stock goes; for the others more is asked for. */
  #serve(): void {
    for (const waiting of this.#inRow) {
      const lease = this.#deal()
      if (lease === undefined) break
      this.#inRow.delete(waiting)
      waiting.give(lease)
    }
    if (this.#inRow.size > 0 && this.#ask === undefined) this.#askForStock(true)
  }

  #askForStock(mayWait: boolean): void {
    const tookMs = performance.now() - this.#givenMs
    if (tookMs < windowMs) this.#window = Math.min(maxWindow, this.#window * 2)
    else if (tookMs > 2 * windowMs) this.#window = Math.max(1, this.#window >> 1)
    this.#ask = { number: this.#asks++, mayWait }
    this.#line.ask(this.#ask.number, this.#window, mayWait, this.#ackTimeoutMs)
  }

  /** The next message in stock. When half of it is left, more is asked for, if there is some and nobody waits for it. */
  #deal(): Lease | undefined {
    const lease = this.#stock.take()
    if (lease !== undefined && this.#ask === undefined && this.#stock.count === this.#window >> 1 && this.#window > 1)
      this.#askForStock(false)
    return lease
  }
}
