/**
 * What may be deleted: facts about one sealed segment in, a decision and its reason out. No clock, no files.
 *
 * A segment goes as a whole, the oldest first, when every topic in it has no need of it. A topic has no need of its
 * messages in a segment when they are trimmed, or stand in a later segment as well, or when *any* part of its retention
 * lets them go: `maxAgeMs`, `maxBytes` and `consumed` each suffice, as does that all of them have expired. So `consumed` alone waits for the slowest group, while an age
 * or a size beside it also moves groups that lag. Without retention a topic needs everything that it has not trimmed.
 */
import type { Retention } from '../../engine/terms.js'

/** Fractions of the file system that are in use, at which something is done about it. */
export interface DiskWatermarks {
  /** From here on what may go goes without pauses. */
  deleteExpiredAt?: number
  /** From here on the oldest segments go, whatever their topics and groups would have. */
  deleteAnywayAt?: number
  /** From here on appends fail with `BOOKEND_NO_SPACE`, until there is space again. */
  refuseAppendsAt?: number
}

/** A topic's part in the segment that is looked at. */
export interface TopicShare {
  topic: number
  /** Offset behind its last record in the segment. */
  end: number
  /** First readable offset of the topic. */
  first: number
  /** A later segment holds all of these records too. */
  isMoved: boolean
  /** Bytes that later sealed segments hold of it. */
  bytesBehind: number
  /** All groups are past everything below; undefined: it has no group, or its retention asks for none. */
  consumedTo: number | undefined
  /** Its last record in the segment counts until then, ms since the epoch; Infinity: for ever, or that is not known. */
  expiresAt: number
  retention: Retention
}

export type LetGo = 'trimmed' | 'moved' | 'age' | 'bytes' | 'consumed' | 'expired' | 'disk'

/** Why a topic has no need of its records in a segment whose age counts from `since`; undefined: it needs them. */
export function letGoBy(share: TopicShare, since: number, now: number): LetGo | undefined {
  const { end, first, isMoved, bytesBehind, consumedTo, expiresAt, retention } = share
  if (first >= end) return 'trimmed'
  if (isMoved) return 'moved'
  if (retention.maxAgeMs !== undefined && since + retention.maxAgeMs <= now) return 'age'
  if (retention.maxBytes !== undefined && bytesBehind >= retention.maxBytes) return 'bytes'
  if (retention.consumed === true && consumedTo !== undefined && consumedTo >= end) return 'consumed'
  if (expiresAt <= now) return 'expired'
  return undefined
}

/** When time alone will let the share go, ms since the epoch. */
export function goesAt({ retention, expiresAt }: TopicShare, since: number): number {
  return Math.min(expiresAt, retention.maxAgeMs === undefined ? Number.POSITIVE_INFINITY : since + retention.maxAgeMs)
}

export type Verdict<Share extends TopicShare> =
  | {
      verdict: 'delete'
      /** New first readable offsets of the topics that lose records which could still be read. */
      firsts: [topic: number, first: number][]
      /** Committed offsets were relied on: they must be durable first. */
      isByConsumption: boolean
    }
  | { verdict: 'keep'; neededBy: Share /** Ms since the epoch: no earlier by time alone. */; until: number }

/**
 * @param since from when on the age of the segment counts: see segment-ages.ts
 * @param isAnyway the disk is too full to ask anybody
 */
export function decide<Share extends TopicShare>(
  shares: Iterable<Share>,
  since: number,
  now: number,
  isAnyway: boolean,
): Verdict<Share> {
  const firsts: [number, number][] = []
  let isByConsumption = false
  for (const share of shares) {
    const reason = letGoBy(share, since, now) ?? (isAnyway ? 'disk' : undefined)
    if (reason === undefined) return { verdict: 'keep', neededBy: share, until: goesAt(share, since) }
    // Who relies on it waits for the device: not for what has expired all the same.
    isByConsumption ||= reason === 'consumed' && share.expiresAt > now
    if (reason !== 'trimmed' && reason !== 'moved') firsts.push([share.topic, share.end])
  }
  return { verdict: 'delete', firsts, isByConsumption }
}

/** Of the topics that need a segment, what they have in all: the price of writing it anew further on. */
export interface LiveTopic {
  topic: number
  /** Bytes of everything it holds, in all segments. */
  bytes: number
  /** It cannot be moved now: it has records in segments that are not sealed and indexed yet, or was refused. */
  isBusy: boolean
}

/** Moving is worth while if this part of a segment, or less, has to be written to be rid of all of it. */
export const worthMovingShare = 1 / 16

/**
 * The topics to move so that the segment can go; empty if it stays. All that need it go or none does: what is moved for
 * nothing costs bytes and frees none.
 * @param needing looked at only as far as it takes to know
 */
export function worthMoving(needing: Iterable<LiveTopic>, segmentBytes: number): number[] {
  const topics: number[] = []
  let left = segmentBytes * worthMovingShare
  for (const { topic, bytes, isBusy } of needing) {
    left -= bytes
    if (isBusy || left < 0) return []
    topics.push(topic)
  }
  return topics
}
