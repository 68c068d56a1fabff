/** Messages to another thread: those of one turn of the event loop are sent as one, since each wakes the other end. */
import type { MessagePort } from 'node:worker_threads'

export class Outbox<M> {
  readonly #port: MessagePort
  #messages: M[] = []

  constructor(port: MessagePort) {
    this.#port = port
  }

  send(message: M): void {
    this.#messages.push(message)
    if (this.#messages.length === 1) setImmediate(() => this.flush())
  }

  flush(): void {
    const messages = this.#messages
    this.#messages = []
    if (messages.length > 0) this.#port.postMessage(messages)
  }
}
