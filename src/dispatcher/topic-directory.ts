/**
 * This thread's table of topics: names to the numbers that frames carry.
 *
 * While the thread that opened the log is the only one that appends, it gives the numbers. From {@link TopicDirectory.share} on they come
 * from a table in shared memory, which every other thread begins with.
 */
import { types } from 'node:util'
import { BookendError } from '../errors.js'
import { isHiddenTopic } from '../format/hidden-topics.js'
import { maxTopics } from '../limits.js'
import type { TopicCells } from '../ring/topic-cells.js'
import { TopicNames } from '../ring/topic-names.js'
import type { TopicState } from '../storage/append/topic-state.js'

/** A topic that exists, or will with its first append. */
export class TopicHandle {
  readonly name: string
  /**
   * Its declaration stands in the log, or in this thread's ring in front of what comes now. What another thread has declared only in its
   * own ring is declared once more: the rings are taken in any order.
   */
  isDeclared = false
  /** What is appended to it waits, see withheld-topics.ts. */
  isWithheld = false
  #id = -1
  readonly #directory: TopicDirectory

  constructor(name: string, directory: TopicDirectory, id = -1) {
    this.name = name
    this.#directory = directory
    this.#id = id
  }

  /** Its number; -1: nobody has asked for one. Once there it stays. */
  get id(): number {
    if (this.#id < 0) this.#id = this.#directory.find(this.name)
    return this.#id
  }

  /** The directory has given it its number. */
  assign(id: number): void {
    this.#id = id
  }

  /** It is in the log: there is something to be read, or was. */
  get isInLog(): boolean {
    return this.#directory.isInLog(this)
  }
}

export class TopicDirectory {
  readonly #byName = new Map<string, TopicHandle>()
  readonly #cells: TopicCells
  /** Numbers below this were in the log when it was opened. */
  readonly #openedBelow: number
  #nextNumber: number
  #names: TopicNames | undefined
  /** By number, of those that {@link nameOf} was asked for: a topic keeps its number. */
  readonly #told = new Map<number, string>()
  #shared: SharedArrayBuffer | undefined

  /** @param topics those of the log that this thread has opened, or the table that the thread that did has shared */
  constructor(topics: readonly TopicState[] | SharedArrayBuffer, cells: TopicCells) {
    this.#cells = cells
    // Not by its class: what was sent to this thread may be of another realm than its modules.
    if (types.isSharedArrayBuffer(topics)) {
      this.#shared = topics
      this.#names = new TopicNames(topics)
      this.#openedBelow = this.#names.openedBelow
      this.#nextNumber = 0
      return
    }
    this.#openedBelow = topics.reduce((next, { id }) => Math.max(next, id + 1), 0)
    this.#nextNumber = this.#openedBelow
    for (const { id, name } of topics) {
      const handle = new TopicHandle(name, this, id)
      handle.isDeclared = true
      this.#byName.set(name, handle)
    }
  }

  /** The one handle of that name. Makes no topic. */
  handle(name: string): TopicHandle {
    let handle = this.#byName.get(name)
    if (handle === undefined) {
      handle = new TopicHandle(name, this)
      this.#byName.set(name, handle)
    }
    return handle
  }

  /** The number that a thread has asked for; -1: none has. */
  find(name: string): number {
    return this.#names === undefined ? -1 : this.#names.find(name)
  }

  /** Gives a topic its number, if it has none; -1: there are no more. That alone makes no topic. */
  intern(handle: TopicHandle): number {
    if (handle.id >= 0) return handle.id
    if (this.#names !== undefined) return this.#names.intern(handle.name)
    if (this.#nextNumber >= maxTopics) return -1
    handle.assign(this.#nextNumber)
    this.#nextNumber += 1
    return handle.id
  }

  /** The number of a topic that is about to be appended to, a new one if need be. @throws `BOOKEND_NO_SPACE` where there are too many */
  numberFor(handle: TopicHandle): number {
    const id = this.intern(handle)
    if (id >= 0) return id
    throw new BookendError(
      'BOOKEND_NO_SPACE',
      `a log holds at most ${maxTopics} topics, with 64 MiB of names while it is open; put the value that varies into the key`,
    )
  }

  isInLog(handle: TopicHandle): boolean {
    const { id } = handle
    return id >= 0 && (id < this.#openedBelow || this.#cells.next(id).load() > 0)
  }

  /** Offset of the next message of a topic that need not exist. Makes no handle. */
  nextOf(name: string): number {
    const id = this.#byName.get(name)?.id ?? this.find(name)
    return id < 0 ? 0 : this.#cells.nextOf(id)
  }

  /** From now on other threads may have numbers as well: they get this. */
  share(): SharedArrayBuffer {
    if (this.#shared === undefined) {
      const known = [...this.#numbered()]
      this.#shared = TopicNames.allocate(known, this.#nextNumber, this.#openedBelow)
      this.#names = new TopicNames(this.#shared)
    }
    return this.#shared
  }

  /** A topic that another process has made. */
  learn(id: number, name: string): TopicHandle {
    const handle = this.handle(name)
    handle.assign(id)
    this.#nextNumber = Math.max(this.#nextNumber, id + 1)
    return handle
  }

  /** Looks through all of them the first time. */
  nameOf(id: number): string | undefined {
    const told = this.#told.get(id)
    if (told !== undefined) return told
    for (const topic of this.#numbered())
      if (topic.id === id) {
        this.#told.set(id, topic.name)
        return topic.name
      }
    return undefined
  }

  /** Names of the topics that exist, in alphabetical order. */
  names(): string[] {
    const names: string[] = []
    for (const { name, id } of this.#numbered()) {
      if (isHiddenTopic(name)) continue
      const isDeclared = this.#byName.get(name)?.isDeclared === true
      if (isDeclared || id < this.#openedBelow || this.#cells.next(id).load() > 0) names.push(name)
    }
    return names.sort()
  }

  *#numbered(): IterableIterator<{ readonly name: string; readonly id: number }> {
    if (this.#names !== undefined) yield* this.#names.entries()
    else for (const handle of this.#byName.values()) if (handle.id >= 0) yield handle
  }
}
