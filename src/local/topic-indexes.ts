/** By what topics are indexed: said by the application each time it opens the log, told to the reaper, which makes the indexes. */
import type { TopicIndex } from '../engine/terms.js'
import { bothOf, hasAll } from '../threads/topic-index.js'
import type { ReaperThread } from './reaper-thread.js'

export class TopicIndexes {
  readonly #reaper: Pick<ReaperThread, 'call'>
  readonly #wanted = new Map<string, TopicIndex>()

  constructor(reaper: Pick<ReaperThread, 'call'>) {
    this.#reaper = reaper
  }

  /** What was said since the log was opened: a reaper to come does not find it in files. */
  get wanted(): [topic: string, index: TopicIndex][] {
    return [...this.#wanted]
  }

  /** From now on until the log closes; what was said of the topic before stays. */
  want(topic: string, index: TopicIndex): void {
    const before = this.#wanted.get(topic)
    if (hasAll(before, index)) return
    const all = bothOf(before, index)
    // Before the call: a reaper that dies over it is followed by one that is told.
    this.#wanted.set(topic, all)
    this.#reaper.call((remote) => remote.index(topic, all)).catch(() => {})
  }
}
