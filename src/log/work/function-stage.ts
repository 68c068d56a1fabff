/**
 * ```
 * working -> pausing -> paused -> working        any -> stopping -> ended
 * ```
 */
import { assert } from '../../errors.js'

export type Stage =
  /** A round is under way: messages are taken. */
  | 'working'
  /** Nothing is taken any more, and what is under way is waited for. */
  | 'pausing'
  | 'paused'
  /** The same, for good. */
  | 'stopping'
  | 'ended'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  working: ['pausing', 'stopping'],
  pausing: ['paused', 'working', 'stopping'],
  paused: ['working', 'stopping'],
  stopping: ['ended'],
  ended: [],
}

/** Where a processor is in its life, for who acts on it and for who waits until it has moved. */
export class FunctionStage {
  #now: Stage = 'working'
  #tell: () => void = () => {}
  #change: Promise<void> = Promise.resolve()

  constructor() {
    this.#renew()
  }

  is(...stages: readonly Stage[]): boolean {
    return stages.includes(this.#now)
  }

  /** Resolves when the next stage is entered. */
  get change(): Promise<void> {
    return this.#change
  }

  enter(next: Stage): void {
    assert(mayFollow[this.#now].includes(next), `a processor does not go from ${this.#now} to ${next}`)
    this.#now = next
    const tell = this.#tell
    this.#renew()
    tell()
  }

  #renew(): void {
    this.#change = new Promise((resolve) => {
      this.#tell = resolve
    })
  }
}
