/** Messages of a processor that begins with so many of them in a stretch of time, and no more. */
import { Pace, type PaceLimit } from '../../pace.js'
import type { Wakeups } from './wakeups.js'
import type { WorkLease } from './work-desk.js'

export class PacedLeases {
  readonly #pace: Pace
  readonly #max: number
  readonly #wakeups: Wakeups
  readonly #isWorking: () => boolean
  #last: Promise<unknown> = Promise.resolve()

  constructor(limit: PaceLimit, wakeups: Wakeups, isWorking: () => boolean) {
    this.#pace = new Pace(limit)
    this.#max = limit.max
    this.#wakeups = wakeups
    this.#isWorking = isWorking
  }

  /**
   * One lease after the other: what one lane begins with is not there for the next one.
   * @param lease takes at most `room` messages, as soon as there are any
   */
  take(lease: (room: number) => Promise<WorkLease | undefined>): Promise<WorkLease | undefined> {
    const taken = this.#last.then(async () => {
      const leased = await lease(await this.#room())
      if (leased !== undefined) this.#pace.begin(leased.end - leased.first, performance.now())
      return leased
    })
    this.#last = taken.catch(() => {})
    return taken
  }

  /** Resolves when there is some, or nothing is to be begun any more. */
  async #room(): Promise<number> {
    for (let waitMs = this.#waitMs(); waitMs > 0 && this.#isWorking(); waitMs = this.#waitMs())
      await this.#wakeups.until(() => !this.#isWorking(), waitMs)
    return Math.max(1, this.#pace.room(this.#max, performance.now()))
  }

  #waitMs(): number {
    return Math.ceil(this.#pace.waitMs(performance.now()))
  }
}
