/** Messages of a processor that begins with so many of them in a stretch of time, and no more; with one that is tried again it begins again. */
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
      await this.#untilRoom()
      const leased = await lease(Math.max(1, this.#pace.room(this.#max, performance.now())))
      // While it waited for messages, others may have been tried again.
      for (let left = leased === undefined ? 0 : leased.end - leased.first; left > 0 && this.#isWorking(); )
        left -= await this.begin(left)
      return leased
    })
    this.#last = taken.catch(() => {})
    return taken
  }

  /** As many of `wanted` messages as may be begun, as soon as that is one. @returns 0: nothing is to be begun any more */
  async begin(wanted: number): Promise<number> {
    await this.#untilRoom()
    if (!this.#isWorking()) return 0
    const nowMs = performance.now()
    const count = this.#pace.room(wanted, nowMs)
    this.#pace.begin(count, nowMs)
    return count
  }

  /** Resolves when there is some, or nothing is to be begun any more. */
  async #untilRoom(): Promise<void> {
    for (let waitMs = this.#waitMs(); waitMs > 0 && this.#isWorking(); waitMs = this.#waitMs())
      await this.#wakeups.until(() => !this.#isWorking(), waitMs)
  }

  #waitMs(): number {
    return Math.ceil(this.#pace.waitMs(performance.now()))
  }
}
