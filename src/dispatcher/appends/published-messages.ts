/** What of a topic is published, as this thread sees it, and who waits for its next message. */
import type { LaneTable } from '../../ring/lane-table.js'
import type { LaneWords } from '../../ring/lane-words.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { TopicHandle } from '../topic-directory.js'
import { type Waiter, type Watch, wakes } from '../watch.js'

interface AwaitedMessage {
  topic: TopicHandle
  offset: number
  resolve(): void
  reject(error: unknown): void
}

export interface PublishedMessagesParts {
  lanes: LaneTable
  lane: LaneWords<'application'>
  cells: TopicCells
  watch: Watch
}

export class PublishedMessages implements Waiter {
  readonly #parts: PublishedMessagesParts
  readonly #awaited = new Set<AwaitedMessage>()

  constructor(parts: PublishedMessagesParts) {
    this.#parts = parts
    parts.watch.register(this)
  }

  nextOf({ id }: TopicHandle): number {
    return id < 0 ? 0 : this.#parts.cells.nextOf(id)
  }

  firstOf({ id }: TopicHandle): number {
    return id < 0 ? 0 : this.#parts.cells.firstOf(id)
  }

  /** Resolves when the topic has a message at `offset`, rejects when appending has ended; returns what stops waiting. */
  whenNext(topic: TopicHandle, offset: number, resolve: () => void, reject: (error: unknown) => void): () => void {
    const { watch, lanes, lane } = this.#parts
    // Before the look: from here on the writer rings for messages of every lane.
    lanes.following.add(lane.number)
    // One look: the writer publishes at any moment, and a message that comes between two would be waited for, for ever.
    const isThere = this.nextOf(topic) > offset
    if (isThere) resolve()
    else if (watch.failure !== undefined) reject(watch.failure)
    if (isThere || watch.failure !== undefined) return () => {}
    const awaited = { topic, offset, resolve, reject }
    this.#awaited.add(awaited)
    watch.begin(wakes.withEveryBatch)
    return () => this.#awaited.delete(awaited)
  }

  /** Messages are told of behind all acknowledgements. */
  settle(): void {}

  proceed(): void {
    for (const awaited of this.#awaited) {
      if (this.nextOf(awaited.topic) <= awaited.offset) continue
      this.#awaited.delete(awaited)
      awaited.resolve()
    }
    const { lanes, lane } = this.#parts
    if (this.#awaited.size === 0 && lanes.following.has(lane.number)) lanes.following.remove(lane.number)
  }

  wakesAt(): number {
    return this.#awaited.size > 0 ? wakes.withEveryBatch : wakes.never
  }

  refuse(error: Error): void {
    for (const { reject } of this.#awaited) reject(error)
    this.#awaited.clear()
  }
}
