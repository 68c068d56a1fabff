/** What somebody waits for at a desk: messages, or more of them behind those that he holds. */
import type { Lease, LeasedRange } from './lease.js'
import type { Request } from './request-row.js'

/** Messages that somebody holds, and who wants to have those that follow them. */
export interface Extendable {
  readonly lease: LeasedRange
  /** Where they end by now. */
  readonly end: number
  /** How many more may be added now; 0 or less: no more at all. */
  room(): number
  onExtended(end: number): void
  /** There will be no more. Not called after {@link GroupDesk.extend} was given up. */
  onOver(): void
}

/** For messages, once. */
export class MessageRequest implements Request {
  readonly lease: Promise<Lease>
  isOver = false
  readonly #take: () => Lease | undefined
  #resolve!: (lease: Lease) => void
  #reject!: (error: unknown) => void

  /** @param take undefined: nothing is to be had now */
  constructor(take: () => Lease | undefined) {
    this.#take = take
    this.lease = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  serve(): boolean {
    if (this.isOver) return true
    const taken = this.#take()
    if (taken === undefined) return false
    this.isOver = true
    this.#resolve(taken)
    return true
  }

  reject(error: unknown): void {
    this.isOver = true
    this.#reject(error)
  }
}

/** For what is published behind the messages of a holder, again and again, until something else comes next or there is no room. */
export class ExtensionRequest implements Request {
  isOver = false
  readonly #holder: Extendable
  readonly #extend: (room: number) => number | undefined
  readonly #askAgain: (request: Request) => void

  /**
   * @param extend where the messages end with up to `room` more; undefined: something else comes next
   * @param askAgain behind those who have asked meanwhile
   */
  constructor(holder: Extendable, extend: (room: number) => number | undefined, askAgain: (request: Request) => void) {
    this.#holder = holder
    this.#extend = extend
    this.#askAgain = askAgain
  }

  serve(): boolean {
    if (this.isOver) return true
    const room = this.#holder.room()
    const to = room > 0 ? this.#extend(room) : undefined
    if (to === this.#holder.end) return false
    if (to === undefined) this.#end()
    else {
      this.#holder.onExtended(to)
      this.#askAgain(this)
    }
    return true
  }

  reject(): void {
    this.#end()
  }

  #end(): void {
    this.isOver = true
    this.#holder.onOver()
  }
}
