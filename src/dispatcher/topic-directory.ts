/** The application thread's table of topics: names to the numbers that frames carry. */
import { BookendError } from '../errors.js'
import { maxTopics } from '../limits.js'
import type { TopicState } from '../storage/append/topic-state.js'

/** A topic that exists, or will with its first append. */
export interface TopicHandle {
  readonly name: string
  /** -1 until the topic is declared. */
  id: number
}

export class TopicDirectory {
  readonly #byName = new Map<string, TopicHandle>()
  #nextId = 0

  constructor(topics: readonly TopicState[]) {
    for (const { id, name } of topics) {
      this.#byName.set(name, { name, id })
      this.#nextId = Math.max(this.#nextId, id + 1)
    }
  }

  /** The one handle of that name. Makes no topic. */
  handle(name: string): TopicHandle {
    let handle = this.#byName.get(name)
    if (handle === undefined) {
      handle = { name, id: -1 }
      this.#byName.set(name, handle)
    }
    return handle
  }

  /** Gives a topic its number; the caller declares it in the ring in front of its first message. */
  nextId(): number {
    if (this.#nextId >= maxTopics) {
      throw new BookendError(
        'BOOKEND_NO_SPACE',
        `a log holds at most ${maxTopics} topics; put the value that varies into the key`,
      )
    }
    return this.#nextId
  }

  assign(handle: TopicHandle): void {
    handle.id = this.nextId()
    this.#nextId += 1
  }

  /** For statistics: looks through all of them. */
  nameOf(id: number): string | undefined {
    for (const handle of this.#byName.values()) if (handle.id === id) return handle.name
    return undefined
  }

  /** Names of the topics that exist, in alphabetical order. */
  names(): string[] {
    return [...this.#byName.values()]
      .filter(({ id }) => id >= 0)
      .map(({ name }) => name)
      .sort()
  }
}
