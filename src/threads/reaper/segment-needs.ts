/** What the topics need of each segment that has a footer: their shares in it, and what of them counts no more. */
import type { Retention } from '../../engine/terms.js'
import { isHiddenTopic } from '../../format/hidden-topics.js'
import { maxRowsPerStep } from '../../limits.js'
import type { Memory } from '../../memory/memory.js'
import { hasFeature, type SharedState } from '../../ring/shared-state.js'
import type { Disk } from '../../storage/files/disk.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { ExpiryWalk } from '../../storage/life/expiry-walk.js'
import type { SizedShare } from '../../storage/life/reclaim.js'
import { type LiveTopic, letGoBy, type TopicShare } from '../../storage/life/retention.js'
import { RetentionLedger, type SegmentFacts, type SegmentRow } from '../../storage/life/retention-ledger.js'
import { readSegmentFacts } from '../../storage/life/segment-facts.js'

const never = Number.POSITIVE_INFINITY
/** Footers read in one step while the ledger catches up. */
const footersPerStep = 16

export interface SegmentNeedsParts {
  state: SharedState<'reaper'>
  disk: Disk
  files: SegmentFiles
  /** Reads segments without mapping them. */
  plainMemory: Memory
  retention: Retention
  /** Topics' first readable offsets and the offsets of their next records, by topic id. */
  firstReadable(topic: number): number
  nextOffset(topic: number): number
  /** All groups of the topic are past everything below, those of followers too; undefined: it has none. */
  consumedTo(topic: number, name: string): number | undefined
}

/** A share, and which row of the segment's directory it is. */
export type RowShare = TopicShare & { row: number }

export class SegmentNeeds {
  readonly #parts: SegmentNeedsParts
  readonly #ledger = new RetentionLedger()
  readonly #policies = new Map<string, Retention>()
  /** Of the oldest segment, once somebody has asked. */
  #expiry: ExpiryWalk | undefined
  #asksGroups: boolean
  #added: number
  /** Topics that were moved, and a segment none of whose elders hold what counts of them. Until the ledger knows. */
  readonly #moves = new Map<number, number>()

  constructor(parts: SegmentNeedsParts) {
    this.#parts = parts
    this.#added = parts.files.segmentOf(parts.state.trim.load())
    this.#asksGroups = parts.retention.consumed === true
  }

  /** What segments below hold is known. */
  get added(): number {
    return this.#added
  }

  /** What groups acknowledge can let something go. */
  get asksGroups(): boolean {
    return this.#asksGroups
  }

  /** In force until the log closes. */
  retain(topic: string, retention: Retention): void {
    this.#policies.set(topic, retention)
    this.#asksGroups ||= retention.consumed === true
  }

  /** By name of the topic; what the log keeps for itself goes when it is trimmed. */
  retentionOf(name: string): Retention {
    return isHiddenTopic(name) ? {} : (this.#policies.get(name) ?? this.#parts.retention)
  }

  /** All groups of the topic are past everything below; undefined: it has none. */
  consumedTo(topic: number, name: string): number | undefined {
    return this.#parts.consumedTo(topic, name)
  }

  /** Some topic is compacted. */
  get compacts(): boolean {
    if (this.#parts.retention.compact === true) return true
    for (const { compact } of this.#policies.values()) if (compact === true) return true
    return false
  }

  /** Which topics are, as it is now. */
  compactedTopics(): (name: string) => boolean {
    const policies = new Map(this.#policies)
    const usual = this.#parts.retention
    return (name) => !isHiddenTopic(name) && (policies.get(name) ?? usual).compact === true
  }

  /** Reads footers that were written since, a few a step. True: there are more. */
  catchUp(): boolean {
    const { state, files } = this.#parts
    const indexedEnd = Math.min(files.segmentOf(state.indexed.load()), state.activeSegment.load())
    let looked = 0
    for (let count = 0; count < footersPerStep && looked < maxRowsPerStep && this.#added < indexedEnd; count++) {
      const facts = this.factsOf(this.#added)
      looked += facts?.rows.length ?? 0
      if (facts !== undefined) this.#ledger.add(this.#added, facts)
      for (const { topic, count } of facts?.rows ?? []) {
        if (count > 0 && (this.#moves.get(topic) ?? Number.POSITIVE_INFINITY) <= this.#added) this.#moves.delete(topic)
      }
      this.#added += 1
    }
    return this.#added < indexedEnd
  }

  /** Undefined: it cannot be read. */
  factsOf(segment: number): SegmentFacts | undefined {
    const { disk, files, plainMemory } = this.#parts
    return readSegmentFacts(disk, files, plainMemory, segment)
  }

  /** The topics of a segment, from a row on and around. */
  *shares(segment: number, { rows }: SegmentFacts, start = 0): Generator<RowShare> {
    for (let step = 0; step < rows.length; step++) {
      const row = (start + step) % rows.length
      if (rows[row].count > 0) yield this.#share(segment, rows[row], row)
    }
  }

  /** The same with their sizes, of any segment. @param older what segments in front of it hold of each topic, in bytes */
  *sizedShares(
    segment: number,
    rows: readonly SegmentRow[],
    older: ReadonlyMap<number, number>,
  ): Generator<RowShare & SizedShare> {
    for (const share of this.shares(segment, { rows, lastTime: 0 })) {
      const { firstOffset, frameBytes } = rows[share.row]
      const bytesBehind = share.bytesBehind - (older.get(share.topic) ?? 0)
      yield { ...share, bytesBehind, firstOffset, frameBytes }
    }
  }

  /** Those that need it, with all they hold: the price of having it go. */
  *live(segment: number, facts: SegmentFacts, start: number, since: number, now: number): Generator<LiveTopic> {
    const { nextOffset } = this.#parts
    for (const share of this.shares(segment, facts, start)) {
      if (letGoBy(share, since, now) !== undefined) continue
      const { topic } = share
      const isSealed = nextOffset(topic) === this.#ledger.endOf(topic) && this.segmentsOf(topic) !== undefined
      yield { topic, bytes: this.#ledger.bytesOf(topic), isBusy: !isSealed }
    }
  }

  /** Looks a step further into the oldest segment, where something may expire. False: all of it was looked at before. */
  lookForExpiry(segment: number): boolean {
    const { state, files } = this.#parts
    if (!hasFeature(state, 'expiry')) return false
    if (this.#expiry?.segment !== segment) this.#expiry = new ExpiryWalk(files, segment)
    return this.#expiry.step()
  }

  /** The segments that hold its records, in order; undefined: there are many. */
  segmentsOf(topic: number): readonly number[] | undefined {
    return this.#ledger.segmentsOf(topic)
  }

  /** All that counts of the topic was written anew, in `active` or behind it. */
  noteMoved(topic: number, active: number): void {
    this.#moves.set(topic, active)
  }

  /** The segment is about to be deleted. Oldest first. */
  remove(segment: number, facts: SegmentFacts): void {
    this.#ledger.remove(segment, facts)
  }

  /** The segment was written anew. @param before what it held */
  rewritten(segment: number, before: SegmentFacts): void {
    const after = this.factsOf(segment)
    if (after !== undefined) this.#ledger.replace(segment, before, after)
    if (this.#expiry?.segment === segment) this.#expiry = undefined
  }

  #share(segment: number, { topic, name, firstOffset, count, frameBytes }: SegmentRow, row: number): RowShare {
    const { firstReadable, consumedTo } = this.#parts
    const retention = this.retentionOf(name)
    return {
      topic,
      row,
      end: firstOffset + count,
      first: firstReadable(topic),
      isMoved: this.#ledger.isMoved(topic, segment) || segment < (this.#moves.get(topic) ?? 0),
      bytesBehind: this.#ledger.bytesOf(topic) - frameBytes,
      expiresAt: this.#expiry?.segment === segment && !isHiddenTopic(name) ? this.#expiry.until(topic) : never,
      // Nobody else asks the groups.
      consumedTo: retention.consumed === true ? consumedTo(topic, name) : undefined,
      retention,
    }
  }
}
