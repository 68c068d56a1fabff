/** A processor that a thread has started which does not own the log: it runs in the owner's threads, and this is its shadow here. */
import { whenAborted } from '../../abortable.js'
import type { EngineProcessor, ProcessorState, ProcessSettings } from '../../engine/group-seat.js'
import type { Filter } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import type { OwnerParty, ProcessorView } from './protocol.js'

export interface RemoteProcessorParts {
  owner: OwnerParty
  /** The name that both ends have for it. */
  number: number
  topic: string
  group: string
  module: string
  settings: ProcessSettings
  filter: Filter | undefined
}

export class RemoteProcessor implements EngineProcessor {
  readonly finished: Promise<void>
  readonly #owner: OwnerParty
  readonly #number: number
  readonly #signal: AbortSignal | undefined
  #view: ProcessorView = { stats: { processed: 0, failed: 0, deadLettered: 0 }, state: 'running' }
  #error: Error | undefined

  constructor({ owner, number, topic, group, module, settings, filter }: RemoteProcessorParts) {
    this.#owner = owner
    this.#number = number
    const { signal, ...sent } = settings
    this.#signal = signal
    // What is asked for arrives in this order, so nothing has to wait for the answer that it was started.
    const started = owner.call('process', number, topic, group, module, sent, filter)
    this.finished = this.#untilFinished(started)
    this.finished.catch(() => {})
    const forget = whenAborted(signal, () => void this.stop())
    this.finished.finally(forget).catch(() => {})
    if (signal?.aborted === true) void this.stop()
  }

  get stats(): ProcessorView['stats'] {
    return this.#view.stats
  }

  get state(): ProcessorState {
    return this.#view.state
  }

  get error(): Error | undefined {
    return this.#error
  }

  /** What the owner says of it. */
  note(view: ProcessorView): void {
    this.#view = view
  }

  async pause(): Promise<void> {
    this.note(await this.#owner.call('pause', this.#number))
  }

  resume(): void {
    if (this.#view.state === 'paused') this.#view = { ...this.#view, state: 'running' }
    this.#owner.tell('resume', this.#number)
  }

  async idle(): Promise<void> {
    try {
      this.note(await this.#owner.call('idle', this.#number))
    } catch (error) {
      throw this.#signal?.aborted === true ? this.#signal.reason : error
    }
  }

  async stop(): Promise<void> {
    try {
      this.note(await this.#owner.call('stop', this.#number))
    } catch (error) {
      // The owner has closed, or is gone: it is stopped.
      if (!(error instanceof BookendError) || error.code !== 'BOOKEND_CLOSED') throw error
      this.#view = { ...this.#view, state: 'stopped' }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #untilFinished(started: Promise<ProcessorView>): Promise<void> {
    try {
      this.note(await started)
      this.note(await this.#owner.call('finished', this.#number))
    } catch (error) {
      if (error instanceof BookendError && error.code === 'BOOKEND_CLOSED') {
        this.#view = { ...this.#view, state: 'stopped' }
        return
      }
      this.#error = error as Error
      this.#view = { ...this.#view, state: 'failed' }
      throw error
    }
  }
}
