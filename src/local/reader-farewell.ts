/** Closing: every reader thread closes its windows before the pool ends it. */
import { type Waiter, type Watch, wakes } from '../dispatcher/watch.js'
import type { SharedState } from '../ring/shared-state.js'

/** Nobody waits longer for readers to close their windows: what one leaves mapped ends with its thread. */
const patienceMs = 2_000

export interface ReaderFarewellParts {
  readonly state: SharedState<'application'>
  readonly watch: Pick<Watch, 'register' | 'begin'>
  /** Reader threads that have been started and have not ended: those that have died, and were not missed, do not answer. */
  readonly aliveThreads: () => number
}

export class ReaderFarewell implements Waiter {
  readonly #parts: ReaderFarewellParts
  /** Set while the answers are awaited. */
  #onAnswered: (() => void) | undefined

  constructor(parts: ReaderFarewellParts) {
    this.#parts = parts
    parts.watch.register(this)
  }

  /** Readers are told to end. */
  get isSaid(): boolean {
    return this.#parts.state.closing.load() !== 0
  }

  /** Resolves when all have closed their windows, or it takes too long. */
  async say(): Promise<void> {
    const { state, watch } = this.#parts
    state.closing.store(1)
    state.retirements.ring()
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs)
      this.#onAnswered = resolve
      watch.begin(wakes.anyway)
      // Behind it: who answers from now on rings. But where the watch sleeps already, for others, nobody rings for readers that are not there.
      this.settle()
    })
    clearTimeout(timer)
    this.#onAnswered = undefined
  }

  /** Each of them counts itself and rings; one that ends without is told of by {@link threadEnded}. */
  settle(): void {
    const { state, aliveThreads } = this.#parts
    if (this.#onAnswered !== undefined && state.closedReaders.load() >= aliveThreads()) this.#onAnswered()
  }

  /** There may be one less to wait for. */
  threadEnded(): void {
    this.settle()
  }

  wakesAt(): number {
    return this.#onAnswered === undefined ? wakes.never : wakes.anyway
  }

  /** That nothing is appended any more is no reason to leave windows open. */
  refuse(): void {}
}
