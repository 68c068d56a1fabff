/**
 * Messages that are leased and not dealt out, in the order in which they were given. What nobody takes goes back: the clock looks now and
 * then whether anything was taken since it looked last. And so does what was not dealt out for some looks: a thread that takes its time
 * keeps no store that others could work on.
 */
import type { GivenLease } from './desk-branch.js'
import { Lease, type LeasedRange } from './lease.js'

const lookMs = 25
/** What has seen more of them goes back. A thread that takes at an even pace has dealt it out in half the time. */
const mostLooks = 8

interface Stocked extends GivenLease {
  /** Of the next message. */
  first: number
  /** How many looks there had been when it came. */
  readonly look: number
}

export class DeskStock {
  readonly #giveBack: (range: LeasedRange) => void
  #stretches: Stocked[] = []
  #count = 0
  #isTaken = false
  #looks = 0
  #clock: NodeJS.Timeout | undefined

  /** @param giveBack called with each stretch that goes back */
  constructor(giveBack: (range: LeasedRange) => void) {
    this.#giveBack = giveBack
  }

  /** Messages. */
  get count(): number {
    return this.#count
  }

  add(lease: GivenLease): void {
    this.#stretches.push({ ...lease, look: this.#looks })
    this.#count += lease.end - lease.first
    if (this.#clock !== undefined) return
    this.#isTaken = true
    // Nothing in stock keeps the process alive: it goes back when the thread ends.
    this.#clock = setInterval(this.#look, lookMs).unref()
  }

  take(): Lease | undefined {
    const [next] = this.#stretches
    if (next === undefined) return undefined
    const { first, end, attempt, generation } = next
    next.first += 1
    if (next.first === end) this.#stretches.shift()
    this.#count -= 1
    this.#isTaken = true
    return new Lease(first, first + 1, attempt, generation)
  }

  /** They are done. */
  remove(first: number, end: number): void {
    if (!this.#stretches.some((each) => each.first < end && each.end > first)) return
    this.#stretches = this.#stretches.flatMap((each) =>
      [
        { ...each, end: Math.min(each.end, first) },
        { ...each, first: Math.max(each.first, end) },
      ].filter((part) => part.first < part.end),
    )
    this.#count = this.#stretches.reduce((sum, each) => sum + each.end - each.first, 0)
  }

  /** Everything goes back. */
  giveBack(): void {
    const stretches = this.#stretches
    this.forget()
    for (const { look: _, ...lease } of stretches) this.#giveBack(lease)
  }

  /** They are not ours any more. */
  forget(): void {
    this.#stretches = []
    this.#count = 0
    clearInterval(this.#clock)
    this.#clock = undefined
  }

  readonly #look = (): void => {
    this.#looks += 1
    const [oldest] = this.#stretches
    const isOld = oldest !== undefined && this.#looks - oldest.look > mostLooks
    if (oldest !== undefined && this.#isTaken && !isOld) this.#isTaken = false
    else this.giveBack()
  }
}
