/**
 * Turns to call a handler: so many at a time, and where there is a pace no more of them begun than that allows. Who comes first is served first in one rank; of several ranks it is
 * the highest that waits, and every {@link turnOfLowest}th time the lowest, so that nobody waits for ever.
 */
import { Fifo } from '../../collections/fifo.js'
import { maxTimerMs } from '../../limits.js'
import { Pace, type PaceLimit } from '../../pace.js'

/** How often the lowest rank comes first. */
export const turnOfLowest = 16

/** Those of one rank. */
export interface Turns {
  /**
   * A turn: without a promise where one is free, otherwise as soon as it comes. Whoever was given one gives it back with {@link end}.
   * @param signal gives it up while it is waited for
   * @returns false: it was given up
   */
  begin(signal: AbortSignal): boolean | Promise<boolean>
  end(): void
}

/** Called once: its turn has come, or it was given up. */
type InTurn = (isTurn: boolean) => void

export class Slots {
  readonly #ranks: readonly Fifo<InTurn>[]
  readonly #pace: Pace | undefined
  #free: number
  #given = 0
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(count: number, ranks: number, limit: PaceLimit | undefined) {
    this.#free = count
    this.#ranks = Array.from({ length: ranks }, () => new Fifo<InTurn>())
    this.#pace = limit && new Pace(limit)
  }

  /** @param rank 0 is the lowest */
  ofRank(rank: number): Turns {
    return { begin: (signal) => this.#begin(this.#ranks[rank], signal), end: this.#end }
  }

  #begin(rank: Fifo<InTurn>, signal: AbortSignal): boolean | Promise<boolean> {
    if (signal.aborted) return false
    // Nobody who comes now is served before those who wait.
    return (this.#waiting === 0 && this.#take()) || this.#turn(rank, signal)
  }

  readonly #end = (): void => {
    this.#free += 1
    if (this.#waiting > 0) this.#serve()
  }

  #turn(rank: Fifo<InTurn>, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting = (isTurn: boolean) => {
        signal.removeEventListener('abort', onAbort)
        this.#waiting -= 1
        resolve(isTurn)
      }
      const onAbort = () => {
        rank.keep((each) => each !== waiting)
        waiting(false)
        if (this.#waiting === 0) clearTimeout(this.#timer)
      }
      signal.addEventListener('abort', onAbort)
      rank.push(waiting)
      this.#waiting += 1
      this.#serve()
    })
  }

  /** False: no slot is free, or the pace allows no more for now. */
  #take(): boolean {
    if (this.#free === 0) return false
    if (this.#pace !== undefined) {
      const nowMs = performance.now()
      if (this.#pace.waitMs(nowMs) > 0) return false
      this.#pace.begin(1, nowMs)
    }
    this.#free -= 1
    return true
  }

  /** As many of those who wait as may begin; the next one in time. */
  readonly #serve = (): void => {
    clearTimeout(this.#timer)
    while (this.#waiting > 0 && this.#take()) this.#next()(true)
    if (this.#waiting === 0 || this.#free === 0 || this.#pace === undefined) return
    this.#timer = setTimeout(this.#serve, Math.min(maxTimerMs, Math.ceil(this.#pace.waitMs(performance.now()))))
  }

  #next(): InTurn {
    this.#given += 1
    const waiting = this.#ranks.filter(({ length }) => length > 0)
    const rank = this.#given % turnOfLowest === 0 ? waiting[0] : waiting[waiting.length - 1]
    return rank.shift() as InTurn
  }
}
