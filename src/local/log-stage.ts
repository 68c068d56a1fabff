/** Whether a log is open: who is about to begin something asks here, and who waits for something is told here that it closes. */
import type { SeatHost } from '../dispatcher/groups/subscription.js'
import { closedError, readOnlyError } from '../failures.js'

/** There is no way back, and nothing is allowed once a log closes: so who closes, and who finds it closed, waits for the same promise. */
type Stage = { readonly name: 'open' } | { readonly name: 'closing'; readonly done: Promise<void> }

export class LogStage implements SeatHost {
  /** Called once each, when the log closes: for who would keep it in memory, or wait for ever. */
  readonly onClose = new Set<() => void>()
  readonly #directory: string
  readonly #isReadOnly: boolean
  #stage: Stage = { name: 'open' }

  constructor(directory: string, isReadOnly: boolean) {
    this.#directory = directory
    this.#isReadOnly = isReadOnly
  }

  get isOpen(): boolean {
    return this.#stage.name === 'open'
  }

  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void {
    if (this.#stage.name !== 'open') throw closedError(this.#directory)
  }

  /** @throws `BOOKEND_CLOSED`, `BOOKEND_READ_ONLY` */
  checkWritable(): void {
    this.checkOpen()
    if (this.#isReadOnly) throw readOnlyError(this.#directory)
  }

  /** Closes with these steps, once. */
  close(steps: () => Promise<void>): Promise<void> {
    // The log counts as closing from here on, before the first step of it.
    if (this.#stage.name === 'open') this.#stage = { name: 'closing', done: Promise.resolve().then(steps) }
    return this.#stage.done
  }

  /** Everybody who waits for a message, a place or a copy gives up. */
  tellClosing(): void {
    for (const tell of this.onClose) tell()
  }
}
