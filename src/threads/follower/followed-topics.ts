/**
 * The books of the topics that are followed: how far each goes, and where it begins. They are kept as the walk meets records and as files
 * go, and said in the topic cells, as an owner's writer and reaper would.
 */
import { isRegister } from '../../format/hidden-topics.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { FirstOffsets } from '../../storage/follow/first-offsets.js'
import type { MetTopic } from '../../storage/follow/log-walk.js'

export interface FollowedTopicsParts {
  cells: TopicCells
  firsts: Pick<FirstOffsets, 'trimmed' | 'of'>
  segmentOf(position: number): number
  /** Topics that the log had when it was opened, by number. */
  firstTopics: readonly { id: number; name: string; next: number; first: number }[]
  /** Of one that the log had not. */
  onNew(id: number, name: string): void
}

interface FollowedTopic {
  readonly id: number
  readonly name: string
  /** As far as this thread has met it; the cell may say more. */
  next: number
  first: number
  /** The first segment that holds a record of it which counts, as far as is known: no later one does. */
  since: number
}

export class FollowedTopics {
  readonly #parts: FollowedTopicsParts
  readonly #topics = new Map<number, FollowedTopic>()
  readonly #byName = new Map<string, FollowedTopic>()

  constructor(parts: FollowedTopicsParts) {
    this.#parts = parts
    for (const { id, name, next, first } of parts.firstTopics) this.#learn({ id, name, next, first, since: 0 })
  }

  nextOf(topic: string): number {
    const known = this.#byName.get(topic)
    return known === undefined ? 0 : this.#refreshed(known).next
  }

  /** Takes in what a step of the walk has found of a topic. @returns how many records more there are */
  meet({ topic, name, next, readable, segment, count }: MetTopic): number {
    const known = this.#known(topic)
    if (known === undefined) {
      // Its declaration was lost to damage: the next owner gives it a name.
      if (name === '') return 0
      this.#learn({ id: topic, name, next, first: readable, since: segment })
      this.#parts.onNew(topic, name)
      return count
    }
    // Records that were moved forward have offsets that were known before.
    const more = Math.max(0, next - known.next)
    known.next = Math.max(known.next, next)
    known.first = isRegister(known.name) ? readable : Math.min(known.next, Math.max(known.first, readable))
    return more
  }

  /** Says what is known of topics: once the position up to which they were met is published. */
  publish(topics: readonly Pick<MetTopic, 'topic'>[]): void {
    this.#parts.cells.storeTogether(() => {
      for (const { topic } of topics) this.#store(topic)
    })
  }

  #store(topic: number): void {
    const known = this.#topics.get(topic)
    if (known === undefined) return
    const { cells } = this.#parts
    cells.first(topic).store(known.first)
    const next = cells.next(topic)
    next.takeOver()
    next.store(known.next)
  }

  /** Files below `trim` are gone, or go now; first offsets are said before that position is. @param published all that was met is below */
  trimTo(trim: number, published: number): void {
    const { cells, firsts, segmentOf } = this.#parts
    const below = segmentOf(trim)
    firsts.trimmed(trim, published)
    for (const [id, topic] of this.#topics) {
      if (topic.since >= below || topic.first >= this.#refreshed(topic).next) continue
      const left = firsts.of(id)
      topic.since = left?.segment ?? below
      topic.first = Math.max(topic.first, left?.first ?? topic.next)
      cells.first(id).store(topic.first)
    }
  }

  #learn(topic: FollowedTopic): void {
    this.#topics.set(topic.id, topic)
    this.#byName.set(topic.name, topic)
  }

  #known(id: number): FollowedTopic | undefined {
    const topic = this.#topics.get(id)
    return topic && this.#refreshed(topic)
  }

  /** The application's thread may have taken in more of it. */
  #refreshed(topic: FollowedTopic): FollowedTopic {
    topic.next = Math.max(topic.next, this.#parts.cells.next(topic.id).load())
    return topic
  }
}
