/**
 * What followers in other processes have still to consume, for the owner's retention: the lowest committed offset of their groups, by topic.
 * Their files are read only while somebody asks, and what was read is good for the topics of one look.
 */
import type { FollowerGroups } from '../../storage/files/follower-groups.js'

/** No longer than a decision takes to be carried out: a group that comes, or goes back, in so short a time may as well have come behind it. */
const rereadMs = 20

export class FollowerConsumption {
  readonly #groups: Pick<FollowerGroups, 'list' | 'sync'>
  readonly #nowMs: () => number
  #lowest = new Map<string, number>()
  #readMs = Number.NEGATIVE_INFINITY

  /** @param nowMs a clock that never goes back */
  constructor(groups: Pick<FollowerGroups, 'list' | 'sync'>, nowMs: () => number) {
    this.#groups = groups
    this.#nowMs = nowMs
  }

  /**
   * All groups of followers of the topic are past everything below; undefined: there is none.
   * @param ownTo the same for the groups of the log itself
   */
  consumedTo(topic: string, ownTo: number | undefined): number | undefined {
    if (this.#nowMs() - this.#readMs >= rereadMs) this.#read()
    const theirs = this.#lowest.get(topic)
    return theirs === undefined || ownTo === undefined ? (theirs ?? ownTo) : Math.min(theirs, ownTo)
  }

  /** Flushes what {@link consumedTo} has answered before: only then may the messages below go. @throws system errors */
  beforeConsumedTrim(): void {
    for (const topic of this.#lowest.keys()) this.#groups.sync(topic)
  }

  #read(): void {
    this.#readMs = this.#nowMs()
    const lowest = new Map<string, number>()
    for (const { topic, state } of this.#groups.list()) {
      // Of a damaged one nobody knows: nothing goes until it is forgotten.
      const committed = state?.committed ?? 0
      lowest.set(topic, Math.min(committed, lowest.get(topic) ?? committed))
    }
    this.#lowest = lowest
  }
}
