/** How a processor ends: because it was asked to, or by itself, for the first reason that comes. What it says of itself, and to those who wait for it, follows from that. */
import type { ProcessorState } from './engine/group-seat.js'
import { BookendError } from './errors.js'

export class ProcessorEnd {
  readonly #group: string
  readonly #signal: AbortSignal | undefined
  /** Not one that was thrown as `undefined` and the like: an error. */
  #error: Error | undefined

  /** @param signal by which it may be asked to end */
  constructor(group: string, signal: AbortSignal | undefined) {
    this.#group = group
    this.#signal = signal
  }

  /** What has ended it by itself. */
  get error(): Error | undefined {
    return this.#error
  }

  /**
   * It ends by itself.
   * @returns what is to be told of that; undefined: nothing, as it is not the first reason, or only says that the log closes
   */
  fail(reason: unknown): Error | undefined {
    if (this.#error !== undefined || (reason instanceof BookendError && reason.code === 'BOOKEND_CLOSED'))
      return undefined
    this.#error = reason instanceof Error ? reason : new Error(String(reason))
    return this.#error
  }

  /** @param stage where it is, as long as nothing has failed */
  stateAt(stage: Exclude<ProcessorState, 'failed'>): ProcessorState {
    return this.#error === undefined ? stage : 'failed'
  }

  /** What those are told who wait for more when it has ended. */
  get reason(): unknown {
    if (this.#error !== undefined) return this.#error
    if (this.#signal?.aborted) return this.#signal.reason
    const message = `the processor of group "${this.#group}" was stopped before everything was done`
    return new BookendError('BOOKEND_CLOSED', message)
  }

  throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error
  }
}
