/**
 * What of a sealed segment nobody needs, while others still need the rest: facts in, a decision out. No clock, no files.
 *
 * A topic's records in a segment are one run, and stay one: what goes are those in front of its first readable offset, which is raised where
 * retention lets all that it has there go. When these bytes are a large enough part, the segment is worth writing anew without them.
 */
import { minReclaimBytes, usualMinDirty } from '../../limits.js'
import { letGoBy, type TopicShare } from './retention.js'

/** A topic's part in the segment, and how large it is. */
export interface SizedShare extends TopicShare {
  firstOffset: number
  frameBytes: number
}

export interface ReclaimPlan {
  /** Where what is kept of a topic begins, and the first readable offset that the segment is to state at least; of other topics all is kept. */
  kept: Map<number, { offset: number; readable: number }>
  /** First readable offsets of topics that lose records which could still be read. */
  firsts: [topic: number, first: number][]
  /** Committed offsets were relied on: they must be durable first. */
  isByConsumption: boolean
  /** Of the frames that go, about. */
  bytes: number
}

/**
 * @param passed bytes that go with messages that have expired or are superseded, whatever their topics need
 * @returns undefined: it is not worth while
 */
export function planReclaim(
  shares: Iterable<SizedShare>,
  since: number,
  now: number,
  passed = 0,
): ReclaimPlan | undefined {
  const plan: ReclaimPlan = { kept: new Map(), firsts: [], isByConsumption: false, bytes: 0 }
  let all = 0
  let minDirty = 1
  for (const share of shares) {
    all += share.frameBytes
    if (passed > 0) minDirty = Math.min(minDirty, share.retention.minDirty ?? usualMinDirty)
    const dead = takeDead(plan, share, since, now)
    if (dead === 0) continue
    plan.bytes += dead
    minDirty = Math.min(minDirty, share.retention.minDirty ?? usualMinDirty)
  }
  // Some of them may be of those that go anyway.
  plan.bytes = Math.min(all, plan.bytes + passed)
  return plan.bytes < Math.max(minReclaimBytes, minDirty * all) ? undefined : plan
}

/** What of the share goes is noted; returns its bytes. */
function takeDead(plan: ReclaimPlan, share: SizedShare, since: number, now: number): number {
  const { topic, first, end, firstOffset, frameBytes } = share
  const reason = letGoBy(share, since, now)
  // That the newest have expired says nothing about those in older segments.
  if (reason === undefined || reason === 'expired') {
    if (first <= firstOffset) return 0
    plan.kept.set(topic, { offset: first, readable: first })
    return (frameBytes * (first - firstOffset)) / (end - firstOffset)
  }
  // What was moved can be read still, where it stands now.
  plan.kept.set(topic, { offset: end, readable: reason === 'moved' ? 0 : end })
  if (reason !== 'trimmed' && reason !== 'moved') plan.firsts.push([topic, end])
  plan.isByConsumption ||= reason === 'consumed'
  return frameBytes
}
