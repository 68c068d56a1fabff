/** One other thread that serves the streams of this registry: what it asks is answered, and what it holds can be taken back. */
import type { MessagePort } from 'node:worker_threads'
import { answerChange } from '../change-request.js'
import { asHttpError } from '../error-replies.js'
import { failed, type Reply } from '../exchange.js'
import type { CopyHolder } from '../holders.js'
import type { ChangeParts } from '../server-parts.js'
import type { StreamState } from '../stream-state.js'
import type { GivenState, PassedChange, RegistryMessage, ThreadMessage } from './messages.js'
import { Outbox } from './outbox.js'
import { received } from './passed-change.js'

export class ServedThread implements CopyHolder {
  readonly #parts: ChangeParts
  readonly #port: MessagePort
  readonly #outbox: Outbox<RegistryMessage>
  readonly #recalls = new Map<string, () => void>()
  #hasEnded = false

  constructor(port: MessagePort, parts: ChangeParts) {
    this.#parts = parts
    this.#port = port
    this.#outbox = new Outbox(port)
    port.on('message', (messages: readonly ThreadMessage[]) => {
      for (const message of messages) this.#receive(message)
    })
    port.once('close', () => {
      this.#hasEnded = true
      parts.registry.holders.remove(this)
      for (const returned of this.#recalls.values()) returned()
      this.#recalls.clear()
    })
    port.unref()
  }

  recall(topic: string): Promise<void> {
    if (this.#hasEnded) return Promise.resolve()
    return new Promise((resolve) => {
      this.#recalls.set(topic, resolve)
      this.#outbox.send({ kind: 'recall', topic })
    })
  }

  /** What it still waits for comes to nothing. */
  close(): void {
    this.#outbox.flush()
    this.#port.close()
  }

  #receive(message: ThreadMessage): void {
    switch (message.kind) {
      case 'find':
        void this.#find(message.number, message.topic)
        return
      case 'change':
        void this.#change(message.number, message.change)
        return
      case 'used':
        // That it cannot be found is told to who asks for it.
        this.#parts.registry.find(message.topic, true).catch(() => {})
        return
      case 'returned':
        this.#recalls.get(message.topic)?.()
        this.#recalls.delete(message.topic)
    }
  }

  async #find(number: number, topic: string): Promise<void> {
    const { registry } = this.#parts
    try {
      const stream = await registry.settled(topic, false)
      const chain: GivenState[] = []
      for (let next: StreamState | undefined = stream; next !== undefined; next = registry.sourceOf(next))
        chain.unshift({ topic: next.topic, state: next.copied(), idleMs: registry.idleMs(next) })
      // In the same turn as it was found, and before it is sent: see Holders.
      if (stream !== undefined && !this.#hasEnded) registry.holders.add(topic, this)
      this.#outbox.send({ kind: 'found', number, topic, chain })
    } catch (error) {
      const { status, message, headers } = asHttpError(error)
      this.#outbox.send({ kind: 'refused', number, topic, refusal: { status, message, headers } })
    }
  }

  async #change(number: number, change: PassedChange): Promise<void> {
    let reply: Reply
    try {
      reply = await answerChange(this.#parts, received(change))
    } catch (error) {
      reply = failed(asHttpError(error))
    }
    this.#outbox.send({ kind: 'answer', number, reply })
  }
}
