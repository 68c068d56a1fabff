/**
 * An engine in plain arrays: the contract of `src/engine/` in its simplest form. It shows that the contract can be implemented without
 * files and threads, and says what is right where others are compared with it.
 */
import type { Engine, EngineFacts, Supports } from '../../../src/engine/engine.js'
import type { LogStats } from '../../../src/engine/stats.js'
import { closedError } from '../../../src/failures.js'
import { MemoryTopic } from './memory-topic.js'

export class MemoryEngine implements Engine {
  readonly facts: EngineFacts = {
    place: 'memory',
    durability: 'process',
    maxMessageBytes: 1 << 20,
    messageBytesLimit: 1 << 20,
    isReadOnly: false,
  }
  readonly supports: Supports = { durabilities: ['process'], scan: false, process: false, retention: false }
  readonly local = undefined
  readonly #topics = new Map<string, MemoryTopic>()
  /** Ends what waits when the log closes. */
  readonly onClose = new Set<() => void>()
  #isOpen = true

  get isOpen(): boolean {
    return this.#isOpen
  }

  topic(name: string): MemoryTopic {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = new MemoryTopic(name, this)
      this.#topics.set(name, topic)
    }
    return topic
  }

  async topicNames(): Promise<string[]> {
    return [...this.#topics.values()]
      .filter(({ exists }) => exists)
      .map(({ name }) => name)
      .sort()
  }

  async flush(): Promise<void> {}

  stats(): LogStats {
    throw new Error('an engine in arrays counts nothing')
  }

  checkOpen(): void {
    if (!this.#isOpen) throw closedError(this.facts.place)
  }

  checkWritable(): void {
    this.checkOpen()
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const end of [...this.onClose]) end()
  }
}
