/**
 * An engine in plain arrays: the contract of `src/engine/` in its simplest form. It shows that the contract can be implemented without
 * files and threads, and says what is right where others are compared with it.
 */
import type { Engine, EngineFacts, Supports } from '../../../src/engine/engine.js'
import type { LogStats } from '../../../src/engine/stats.js'
import type { GroupInfo } from '../../../src/engine/terms.js'
import { closedError } from '../../../src/failures.js'
import { MemoryTopic } from './memory-topic.js'

/** The most that is handed over in one turn of the event loop before offers are refused. */
const defaultRingBytes = 4 << 20

export class MemoryEngine implements Engine {
  readonly facts: EngineFacts
  readonly supports: Supports = {
    durabilities: ['process'],
    scan: false,
    process: false,
    retention: false,
    compaction: false,
    expectedOffset: true,
    expectedVersion: true,
    id: true,
    expiry: true,
    keys: true,
    indexes: true,
    filteredGroups: true,
    transactions: false,
    schedules: false,
  }
  readonly local = undefined
  readonly transactions = undefined
  readonly schedules = undefined
  readonly #topics = new Map<string, MemoryTopic>()
  /** Ends what waits when the log closes. */
  readonly onClose = new Set<() => void>()
  readonly #ringBytes: number
  /** Handed over since the event loop has turned. */
  #takenBytes = 0
  #turn: Promise<void> | undefined
  #isOpen = true

  constructor({ maxMessageBytes = 1 << 20, ringBytes = defaultRingBytes } = {}) {
    const messageBytesLimit = Math.max(maxMessageBytes, 1 << 30)
    const limits = { maxMessageBytes, messageBytesLimit, beyondLimit: 'there is no more' }
    this.facts = { place: 'memory', durability: 'process', ...limits, isReadOnly: false }
    this.#ringBytes = ringBytes
  }

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

  async groups(): Promise<GroupInfo[]> {
    const infos = await Promise.all(
      [...this.#topics.values()].flatMap(({ groups }) => groups.map((group) => group.info())),
    )
    return infos.sort((a, b) => (`${a.topic}/${a.name}` < `${b.topic}/${b.name}` ? -1 : 1))
  }

  async flush(): Promise<void> {}

  stats(): LogStats {
    throw new Error('an engine in arrays counts nothing')
  }

  noteProcessorFailure(): void {}

  /** As a ring that is emptied once a turn; whatever its size, one message has room in it when it is empty. */
  hasRoom(bytes: number): boolean {
    return this.#takenBytes === 0 || this.#takenBytes + bytes <= this.#ringBytes
  }

  take(bytes: number): void {
    this.#takenBytes += bytes
    this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#takenBytes = 0
        this.#turn = undefined
        resolve()
      })
    })
  }

  /** Resolves when everything that was taken has left the ring. */
  async turn(): Promise<void> {
    await this.#turn
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
