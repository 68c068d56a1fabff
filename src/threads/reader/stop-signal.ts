/** The signal of a handler: fires when its processor is asked to end. */
import type { HandlerWords } from '../../ring/handler-words.js'

/** Costs nothing where the handler does not look at it. */
export class StopSignal {
  readonly #words: HandlerWords
  #signal: AbortSignal | undefined

  constructor(words: HandlerWords) {
    this.#words = words
  }

  get(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController()
      this.#signal = controller.signal
      this.#words.onStopAsked(() => controller.abort())
    }
    return this.#signal
  }
}
