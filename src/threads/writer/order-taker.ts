/** The reaper's orders: what it wants written before it deletes segments. One at a time; without a segment to write to, it waits. */
import type { SharedState } from '../../ring/shared-state.js'
import { type LogTail, movedBytes } from '../../storage/append/log-tail.js'
import type { Order } from '../protocol.js'

export interface OrderTakerParts {
  state: SharedState<'writer'>
  tail: LogTail
  /** The reaper's next order; it was sent before the word that announces it. */
  takeOrder(): Order
}

/** What the writer does for it. */
export interface OrderTakerHost {
  /** Room for so much more. False: not now, and nothing was changed. */
  makeRoom(bytes: number, records: number): boolean
  publish(): void
}

export class OrderTaker {
  readonly #parts: OrderTakerParts
  readonly #host: OrderTakerHost
  /** Waits for a segment. */
  #order: Order | undefined

  constructor(parts: OrderTakerParts, host: OrderTakerHost) {
    this.#parts = parts
    this.#host = host
  }

  /** Carries out the order that is given, if there is one and it can be. */
  obey(): void {
    const { state } = this.#parts
    const given = state.ordersGiven.load()
    if (state.ordersDone.load() === given) return
    this.#order ??= this.#parts.takeOrder()
    const isDone = this.#carryOut(this.#order)
    if (isDone === undefined) return
    this.#order = undefined
    this.#host.publish()
    // The words come after the position: the reaper flushes up to what is published, then deletes.
    state.orderResult.store(isDone ? 1 : 0)
    state.ordersDone.store(given)
    state.reaper.ring()
  }

  /**
   * A new reaper is about to begin: an order that the dead one has announced is taken in while the way it came by is still there,
   * and carried out in its turn; one that was not announced was never given.
   */
  meetReaper(): void {
    const { state, takeOrder } = this.#parts
    if (state.ordersDone.load() !== state.ordersGiven.load()) this.#order ??= takeOrder()
  }

  /** Undefined: it waits for a segment. False: it could not be done. */
  #carryOut(order: Order): boolean | undefined {
    switch (order.kind) {
      case 'forget':
        return this.#forget(order)
      case 'move':
        return this.#move(order)
      case 'raise':
        return this.#raise(order)
    }
  }

  /** Segments are about to be deleted: their messages cannot be read any more, their topics are declared elsewhere. */
  #forget({ below, firsts }: Extract<Order, { kind: 'forget' }>): true | undefined {
    const { tail } = this.#parts
    for (const [topic, first] of firsts) tail.forget(topic, first)
    while (!tail.redeclareBelow(below)) if (!this.#host.makeRoom(0, 0)) return undefined
    return true
  }

  #raise({ firsts }: Extract<Order, { kind: 'raise' }>): true | undefined {
    const { tail } = this.#parts
    for (const [topic, first] of firsts) {
      while (!tail.trim(topic, first)) if (!this.#host.makeRoom(0, 0)) return undefined
    }
    return true
  }

  /** False: the topic has changed since it was read. */
  #move({ moved }: Extract<Order, { kind: 'move' }>): boolean | undefined {
    const { tail } = this.#parts
    const bytes = movedBytes(moved)
    let outcome = tail.moveForward(moved)
    if (outcome === 'full' && this.#host.makeRoom(bytes, moved.end - moved.first)) outcome = tail.moveForward(moved)
    return outcome === 'full' ? undefined : outcome === 'moved'
  }
}
