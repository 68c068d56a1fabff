/**
 * What of a sealed segment nobody needs, while others still need the rest: facts in, a decision out. No clock, no files.
 *
 * A topic's records in a segment are one run, and stay one: what goes are those in front of its first readable offset, which is raised where
 * retention lets all that it has there go. When these bytes are a large enough part, the segment is worth writing anew without them.
 */
import { stubBytes } from '../../format/expiry-layout.js'
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
  /** Of all frames. */
  messageBytes: number
  /** It is worth while from so many on that go. */
  leastBytes: number
}

export function isWorthReclaiming({ bytes, leastBytes }: ReclaimPlan): boolean {
  return bytes >= leastBytes
}

/** @param passed bytes that go with messages that have expired or are superseded, whatever their topics need */
export function planReclaim(shares: Iterable<SizedShare>, since: number, now: number, passed = 0): ReclaimPlan {
  const plan = { kept: new Map(), firsts: [], isByConsumption: false, bytes: 0, messageBytes: 0, leastBytes: 0 }
  let minDirty: number | undefined
  let placeBytes = 0
  for (const share of shares) {
    plan.messageBytes += share.frameBytes
    const dead = takeDead(plan, share, since, now)
    plan.bytes += dead
    if (dead < share.frameBytes) placeBytes += stubBytes * (share.end - Math.max(share.first, share.firstOffset))
    // Who has nothing in it that goes does not say from when on it is worth while.
    if (passed > 0 || dead > 0) minDirty = Math.min(minDirty ?? 1, share.retention.minDirty ?? usualMinDirty)
  }
  // Some of them may be of those that go anyway.
  plan.bytes = Math.min(plan.messageBytes, plan.bytes + passed)
  // Nothing is left in it but places: as the oldest it can go as a whole, and so can those behind it, however little it holds.
  const isThrough = plan.bytes > 0 && plan.messageBytes - plan.bytes <= placeBytes
  plan.leastBytes = isThrough ? plan.bytes : Math.max(minReclaimBytes, (minDirty ?? usualMinDirty) * plan.messageBytes)
  return plan
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
