/** The processors that one attached thread has started, on the thread where they run. */
import type { EngineProcessor } from '../../engine/group-seat.js'
import { closedError } from '../../failures.js'
import type { ProcessorView } from './protocol.js'

/** Figures of a processor at work are told this often, where they have changed. */
const tellEveryMs = 50

export class ServedProcessors {
  readonly #place: string
  readonly #tell: (number: number, view: ProcessorView) => void
  /** Those that have ended as well: they can still be asked. */
  readonly #all = new Map<number, EngineProcessor>()
  readonly #running = new Set<number>()
  readonly #told = new Map<number, string>()
  #timer: NodeJS.Timeout | undefined

  /** @param tell the way to the thread that has started them */
  constructor(place: string, tell: (number: number, view: ProcessorView) => void) {
    this.#place = place
    this.#tell = tell
  }

  add(number: number, processor: EngineProcessor): ProcessorView {
    this.#all.set(number, processor)
    this.#running.add(number)
    this.#timer ??= setInterval(() => this.#tellAll(), tellEveryMs).unref()
    return viewOf(processor)
  }

  /** Resolves with what it has come to when the work is done. What has changed is told before, also where it fails. */
  async ask(number: number, work: (processor: EngineProcessor) => Promise<void> | void): Promise<ProcessorView> {
    const processor = this.#all.get(number)
    if (processor === undefined) throw closedError(this.#place)
    try {
      await work(processor)
      return viewOf(processor)
    } finally {
      this.#tell(number, viewOf(processor))
    }
  }

  /** It has ended: nothing changes any more. */
  noteEnd(number: number): void {
    this.#running.delete(number)
    this.#told.delete(number)
    if (this.#running.size === 0) this.#stopTimer()
  }

  /** The thread has left. */
  end(): void {
    for (const processor of this.#all.values()) void processor.stop()
    this.#all.clear()
    this.#running.clear()
    this.#stopTimer()
  }

  #tellAll(): void {
    for (const number of this.#running) {
      const view = viewOf(this.#all.get(number) as EngineProcessor)
      const text = JSON.stringify(view)
      if (this.#told.get(number) === text) continue
      this.#told.set(number, text)
      this.#tell(number, view)
    }
  }

  #stopTimer(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function viewOf({ stats, state }: EngineProcessor): ProcessorView {
  const { processed, failed, deadLettered } = stats
  return { stats: { processed, failed, deadLettered }, state }
}
