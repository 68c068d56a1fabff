/**
 * The way of events to the application's thread. A message wakes that, and flushes may come by the thousand a second with nobody who listens: so those wait for each other for a moment.
 * All come in their order.
 */
import type { MessagePort } from 'node:worker_threads'
import type { ReaperEvent } from './reaper-event.js'

const holdMs = 20
/** Where this thread does not come to its timers. */
const mostHeld = 64

export class EventPost {
  readonly #port: Pick<MessagePort, 'postMessage'>
  #held: ReaperEvent[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(port: Pick<MessagePort, 'postMessage'>) {
    this.#port = port
  }

  readonly emit = (event: ReaperEvent): void => {
    this.#held.push(event)
    if (event.type !== 'flushed' || this.#held.length >= mostHeld) this.send()
    else this.#timer ??= setTimeout(() => this.send(), holdMs)
  }

  /** Nothing is held any more. */
  send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#held.length === 0) return
    this.#port.postMessage(this.#held satisfies readonly ReaperEvent[])
    this.#held = []
  }
}
