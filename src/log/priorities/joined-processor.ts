/** Several processors that are one to whoever holds them: they rest, go on and end together, and one that fails ends all. */
import type { ProcessorState } from '../../engine/group-seat.js'
import type { Processor } from '../processor-options.js'

export class JoinedProcessor implements Processor {
  readonly #parts: readonly Processor[]
  readonly finished: Promise<void>

  constructor(parts: readonly Processor[]) {
    this.#parts = parts
    this.finished = this.#end()
    // Whoever wants to know asks for it.
    this.finished.catch(() => {})
  }

  get stats(): Processor['stats'] {
    const sum = (name: keyof Processor['stats']) => this.#parts.reduce((total, { stats }) => total + stats[name], 0)
    return { processed: sum('processed'), failed: sum('failed'), deadLettered: sum('deadLettered') }
  }

  get state(): ProcessorState {
    const states = this.#parts.map(({ state }) => state)
    return (['failed', 'running', 'paused'] as const).find((state) => states.includes(state)) ?? 'stopped'
  }

  get error(): Error | undefined {
    return this.#parts.find(({ error }) => error !== undefined)?.error
  }

  async pause(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.pause()))
  }

  resume(): void {
    for (const part of this.#parts) part.resume()
  }

  async idle(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.idle()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.stop()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #end(): Promise<void> {
    try {
      await Promise.all(this.#parts.map(({ finished }) => finished))
    } catch (error) {
      await this.stop()
      throw error
    }
  }
}
