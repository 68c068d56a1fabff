/** Which topic is moved forward next, so that the oldest segment can go. Moving is worth while, or not begun at all. */
import { moveLookMs } from '../../limits.js'
import { collectTopic, type MovedTopic } from '../../storage/append/topic-mover.js'
import { type LiveTopic, worthMoving } from '../../storage/life/retention.js'
import type { SegmentFacts } from '../../storage/life/retention-ledger.js'
import type { SegmentNeeds, SegmentNeedsParts } from './segment-needs.js'

/** The oldest segment. */
export interface OldestSegment {
  segment: number
  facts: SegmentFacts
  /** Row of the topic that was last found to need it: asked first the next time. */
  blocker: number
}

export class TopicMoves {
  readonly #parts: SegmentNeedsParts
  readonly #needs: SegmentNeeds
  /** By topic, which segment was active when a move of it was last tried. */
  readonly #triedIn = new Map<number, number>()
  /** When and for which state of the log it was last looked whether topics could be moved. */
  #looked = { segment: -1, blocker: -1, active: -1, added: -1, time: 0 }

  constructor(parts: SegmentNeedsParts, needs: SegmentNeeds) {
    this.#parts = parts
    this.#needs = needs
  }

  /**
   * Ms after which {@link next} is to be asked, 0 for now. It waits while nothing is seen to have changed since nothing could be moved:
   * looking costs as much as the segment has topics, and would be done at every flush.
   */
  waitMs({ segment, blocker }: OldestSegment, now: number): number {
    const last = this.#looked
    const isSame =
      last.segment === segment &&
      last.blocker === blocker &&
      last.active === this.#parts.state.activeSegment.load() &&
      last.added === this.#needs.added
    // A clock that was put back must not stop the looking.
    return isSame ? Math.max(0, moveLookMs - Math.abs(now - last.time)) : 0
  }

  /**
   * One topic of those that need the segment, with all its records; undefined: none, or not all of them can go, or it is not worth while.
   * @param since from when on the age of the segment counts
   */
  next(oldest: OldestSegment, since: number, now: number): MovedTopic | undefined {
    const { state, files, firstReadable, nextOffset } = this.#parts
    const { segment, facts, blocker } = oldest
    const active = state.activeSegment.load()
    this.#looked = { segment, blocker, active, added: this.#needs.added, time: now }
    const live = this.#needs.live(segment, facts, blocker, since, now)
    const [topic] = worthMoving(this.#withoutTried(live, active), files.segmentBytes)
    if (topic === undefined) return undefined
    // Should it come to nothing: not again before the log has gone on.
    this.#triedIn.set(topic, active)
    const segments = this.#needs.segmentsOf(topic) ?? []
    return collectTopic(files, topic, firstReadable(topic), nextOffset(topic), segments)
  }

  *#withoutTried(live: Iterable<LiveTopic>, active: number): Generator<LiveTopic> {
    for (const each of live) yield { ...each, isBusy: each.isBusy || this.#triedIn.get(each.topic) === active }
  }
}
