/**
 * The reaper's hand for retention: gathers the facts, has `storage/retention.ts` decide, and carries the decision out, one small
 * step a call, so that nothing else of the reaper waits for it.
 *
 * ```
 *   look --move--> waiting for the writer ---------------------------------------------------> look
 *     \--delete--> waiting for the writer -> waiting for the flush -> removing, file by file -> pausing -> look
 * ```
 *
 * Order of a deletion: offsets of groups that were relied on are durable; the writer has raised the topics' first offsets and
 * declared anew what only these segments declare; that is durable; the trim position is durable; then the files go, oldest
 * first, each when nobody holds a pin on it; then the directory is flushed.
 */

import type { KeptReason, Retention } from '../../engine/terms.js'
import {
  deletePassBytes,
  deletePauseMs,
  diskLookMs,
  maxRowsPerStep,
  maxSegmentsPerPass,
  moveLookMs,
} from '../../limits.js'
import type { Memory } from '../../memory/memory.js'
import { keptReasons, type SharedState } from '../../ring/shared-state.js'
import type { SlotTable } from '../../ring/slot-table.js'
import { collectTopic } from '../../storage/append/topic-mover.js'
import type { Disk } from '../../storage/files/disk.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import {
  type DiskWatermarks,
  decide,
  type LiveTopic,
  letGoBy,
  type TopicShare,
  worthMoving,
} from '../../storage/life/retention.js'
import { RetentionLedger, type SegmentFacts, type SegmentRow } from '../../storage/life/retention-ledger.js'
import { SegmentAges } from '../../storage/life/segment-ages.js'
import { readSegmentFacts } from '../../storage/life/segment-facts.js'
import type { KeptSegment, Order } from '../protocol.js'

/** Footers read in one step while the ledger catches up. */
const footersPerStep = 16
const maxNamesOfNeed = 8

export interface RetainerParts {
  state: SharedState
  slots: SlotTable
  disk: Disk
  files: SegmentFiles
  /** Reads segments without mapping them. */
  plainMemory: Memory
  retention: Retention
  diskWatermarks: DiskWatermarks
  /** Topics' first readable offsets and the offsets of their next records, by topic id. */
  firstReadable(topic: number): number
  nextOffset(topic: number): number
  /** All groups of the topic are past everything below; undefined: it has none. */
  consumedTo(topic: number): number | undefined
  /** Called before a deletion that relies on {@link consumedTo}: makes the committed offsets durable. */
  beforeConsumedTrim(): void
  /** The part of the file system that is in use, 0 to 1. */
  diskUse(): number
  now(): number
  send(order: Order): void
}

/** What the reaper does for it. */
export interface RetainerHost {
  /** False while somebody copies the segments. */
  mayDelete(): boolean
  /** Has everything published flushed soon. */
  flushSoon(): void
  /** Makes the trim position durable. */
  storeTrim(): void
  /** Retires the mappings of a segment. False: somebody holds a pin. */
  retireSegment(segment: number): boolean
  deleted(segment: number): void
  moved(topic: number, segment: number): void
}

type Stage =
  | { name: 'looking' }
  | { name: 'ordered'; order: Order; number: number; end: number; active: number }
  | { name: 'flushing'; position: number; end: number }
  | { name: 'removing'; next: number; end: number }

export class Retainer {
  readonly #parts: RetainerParts
  readonly #host: RetainerHost
  readonly #ledger = new RetentionLedger()
  readonly #ages: SegmentAges
  readonly #policies = new Map<string, Retention>()
  #hasConsumed: boolean
  #stage: Stage = { name: 'looking' }
  /** Segments below are in the ledger. */
  #added: number
  /** The oldest segment's facts, read when it became the oldest. */
  #oldest: { segment: number; facts: SegmentFacts } | undefined
  /** Row of the oldest segment that was last found to need it: asked first the next time. */
  #blocker = 0
  /** Ms since the epoch before which nothing can have changed by age alone. */
  #until = 0
  /** Topics that were moved, and a segment none of whose elders hold what counts of them. Until the ledger knows. */
  readonly #moves = new Map<number, number>()
  /** By topic, which segment was active when a move of it was last tried. */
  readonly #triedIn = new Map<number, number>()
  /** When and for which state of the log it was last looked whether topics could be moved. */
  #lookedToMove = { segment: -1, blocker: -1, active: -1, added: -1, time: 0 }
  /** A look that was left out for the moment is due after this. */
  #moveLookMs = Number.POSITIVE_INFINITY
  #pauseUntil = 0
  #diskUse = 0
  #diskLookedAt = Number.NEGATIVE_INFINITY

  constructor(parts: RetainerParts, host: RetainerHost) {
    this.#parts = parts
    this.#host = host
    this.#ages = new SegmentAges(parts.files)
    this.#added = parts.files.segmentOf(parts.state.trim.load())
    this.#hasConsumed = parts.retention.consumed === true
    // Left over by a reaper that died over it: the trim position is durable, or the next one has made it so.
    const left = parts.files.list().at(0)
    if (left !== undefined && left < this.#added) this.#stage = { name: 'removing', next: left, end: this.#added }
  }

  /** In force until the log closes. */
  retain(topic: string, retention: Retention): void {
    this.#policies.set(topic, retention)
    this.#hasConsumed ||= retention.consumed === true
    this.#until = 0
  }

  /** Does the next small step. Returns the ms after which there may be more without a bell. */
  step(): number {
    const { state } = this.#parts
    this.#watchDisk()
    const now = this.#parts.now()
    this.#moveLookMs = Number.POSITIVE_INFINITY
    const hasMore = state.reaperErrno.load() === 0 && (this.#catchUp() || (this.#host.mayDelete() && this.#advance()))
    if (hasMore) return 0
    if (this.#stage.name === 'removing') return pinnedLookMs
    const lookMs = this.#hasWatermarks ? diskLookMs : this.#hasConsumed ? 1_000 : Number.POSITIVE_INFINITY
    const dueMs = this.#until > 0 ? this.#until - now : Number.POSITIVE_INFINITY
    const pauseMs = this.#pauseLeftMs(now) || Number.POSITIVE_INFINITY
    return Math.max(5, Math.min(dueMs, pauseMs, lookMs, this.#moveLookMs))
  }

  /** Reads footers that were written since, a few a step. True: there are more. */
  #catchUp(): boolean {
    const { state, files } = this.#parts
    const indexedEnd = Math.min(files.segmentOf(state.indexed.load()), state.activeSegment.load())
    let looked = 0
    for (let count = 0; count < footersPerStep && looked < maxRowsPerStep && this.#added < indexedEnd; count++) {
      const facts = this.#factsOf(this.#added)
      looked += facts?.rows.length ?? 0
      if (facts !== undefined) this.#ledger.add(this.#added, facts)
      for (const { topic, count } of facts?.rows ?? []) {
        if (count > 0 && (this.#moves.get(topic) ?? Number.POSITIVE_INFINITY) <= this.#added) this.#moves.delete(topic)
      }
      this.#added += 1
    }
    return this.#added < indexedEnd
  }

  /** True: there is more to do at once. */
  #advance(): boolean {
    const stage = this.#stage
    switch (stage.name) {
      case 'looking':
        return this.#look()
      case 'ordered':
        return this.#followOrder(stage)
      case 'flushing':
        if (this.#parts.state.durable.load() < stage.position) return this.#keep('deleting')
        return this.#beginRemoving(stage.end)
      case 'removing':
        return this.#removeNext(stage)
    }
  }

  #look(): boolean {
    const { state, files, now } = this.#parts
    const first = files.segmentOf(state.trim.load())
    const time = now()
    this.#until = 0
    // Of a reaper before this one: carried out like any other, and then decided anew from what there is.
    if (state.ordersDone.load() !== state.ordersGiven.load()) return this.#keep('deleting')
    if (first >= state.activeSegment.load()) return this.#keep('active')
    if (first >= this.#added) return this.#keep('unflushed')
    const isPaused = this.#pauseLeftMs(time) > 0
    if (isPaused && !this.#isAbove('deleteExpiredAt')) return false
    const firsts: [number, number][] = []
    let isByConsumption = false
    // What may go ends behind a segment that is known; an unreadable one goes with the one behind it, not by itself.
    let end = first
    let segment = first
    const most = Math.min(maxSegmentsPerPass, Math.max(1, Math.floor(deletePassBytes / files.segmentBytes)))
    let looked = 0
    for (; segment < this.#added && segment < first + most && looked < maxRowsPerStep; segment++) {
      const facts = this.#oldest?.segment === segment ? this.#oldest.facts : this.#factsOf(segment)
      // A disk that is too full gives up one segment at a time, then is looked at again.
      const isAnyway = this.#isAbove('deleteAnywayAt') && segment === first && !isPaused
      if (facts === undefined) {
        if (isAnyway) end = segment + 1
        continue
      }
      if (this.#oldest?.segment !== segment) this.#blocker = 0
      this.#oldest = { segment, facts }
      const since = this.#ages.since(segment, facts.lastTime, time, state.activeSegment.load())
      const verdict = decide(this.#shares(segment, facts), since, time, isAnyway)
      if (verdict.verdict === 'keep') {
        this.#until = Number.isFinite(verdict.until) ? verdict.until : 0
        if (end > first) break
        if (this.#mayMove(segment, verdict.neededBy.topic, time) && this.#moveOne(segment, facts)) return true
        return segment > first ? this.#keep('damaged') : this.#keep('needed', verdict.neededBy.topic)
      }
      looked += facts.rows.length
      for (const topic of verdict.firsts) firsts.push(topic)
      isByConsumption ||= verdict.isByConsumption
      this.#ledger.remove(segment, facts)
      end = segment + 1
    }
    if (end === first) return this.#keep('damaged')
    this.#oldest = undefined
    // The flush of the groups' offsets comes first: a power cut must not bring a group back to messages that are gone.
    if (isByConsumption) this.#parts.beforeConsumedTrim()
    this.#order({ kind: 'forget', below: end, firsts }, end)
    return this.#keep('deleting')
  }

  #order(order: Order, end: number): void {
    const { state, send } = this.#parts
    // Sent before the word that announces it.
    send(order)
    const number = state.ordersGiven.load() + 1
    this.#stage = { name: 'ordered', order, number, end, active: state.activeSegment.load() }
    state.ordersGiven.store(number)
    state.writer.ring()
  }

  #followOrder({ order, number, end, active }: Extract<Stage, { name: 'ordered' }>): boolean {
    const { state } = this.#parts
    if (state.ordersDone.load() !== number) return false
    if (order.kind === 'move') {
      if (state.orderResult.load() === 1) {
        const { batches, topic } = order.moved
        const bytes = batches.reduce((sum, { frames }) => sum + frames.length, 0)
        state.movedBytes.store(state.movedBytes.load() + bytes)
        this.#moves.set(topic, active)
        this.#host.moved(topic, end)
      }
      this.#stage = { name: 'looking' }
      return true
    }
    this.#stage = { name: 'flushing', position: state.published.load(), end }
    this.#host.flushSoon()
    return true
  }

  #beginRemoving(end: number): boolean {
    const { state, files } = this.#parts
    const next = files.segmentOf(state.trim.load())
    state.trim.store(files.base(end))
    this.#host.storeTrim()
    this.#stage = { name: 'removing', next, end }
    return true
  }

  /** One file a turn: unlinking a large one takes the file system a while. */
  #removeNext(stage: Extract<Stage, { name: 'removing' }>): boolean {
    const { state, files, now } = this.#parts
    if (stage.next < stage.end) {
      if (!this.#host.retireSegment(stage.next)) return this.#keep('pinned')
      files.remove(stage.next)
      state.deletedCount.store(state.deletedCount.load() + 1)
      this.#host.deleted(stage.next)
      stage.next += 1
      return true
    }
    files.syncDirectory()
    // Who has them open without a mapping keeps their space until it closes them.
    state.retirements.ring()
    this.#pauseUntil = now() + deletePauseMs
    this.#diskLookedAt = Number.NEGATIVE_INFINITY
    this.#stage = { name: 'looking' }
    return false
  }

  /**
   * False while nothing is seen to have changed since nothing could be moved: looking costs as much as the segment has topics, and would
   * be done at every flush.
   */
  #mayMove(segment: number, blocker: number, time: number): boolean {
    const active = this.#parts.state.activeSegment.load()
    const last = this.#lookedToMove
    const isSame =
      last.segment === segment && last.blocker === blocker && last.active === active && last.added === this.#added
    // A clock that was put back must not stop the looking.
    const left = moveLookMs - Math.abs(time - last.time)
    if (isSame && left > 0) {
      this.#moveLookMs = left
      return false
    }
    this.#lookedToMove = { segment, blocker, active, added: this.#added, time }
    return true
  }

  /** Orders one topic of those that need the segment to be moved, if that is worth while. */
  #moveOne(segment: number, facts: SegmentFacts): boolean {
    const { state, disk, files, firstReadable, nextOffset } = this.#parts
    const blocker = this.#blocker
    const [topic] = worthMoving(this.#liveTopics(segment, facts), files.segmentBytes)
    // The one that keeps the segment is asked first again, not the one that this ended with.
    this.#blocker = blocker
    if (topic === undefined) return false
    // Should it come to nothing: not again before the log has gone on.
    this.#triedIn.set(topic, state.activeSegment.load())
    const segments = this.#ledger.segmentsOf(topic) ?? []
    const moved = collectTopic(disk, files, topic, firstReadable(topic), nextOffset(topic), segments)
    if (moved === undefined) return false
    this.#order({ kind: 'move', moved }, segment)
    return true
  }

  *#liveTopics(segment: number, facts: SegmentFacts): Generator<LiveTopic> {
    const { state, nextOffset, now } = this.#parts
    const active = state.activeSegment.load()
    const time = now()
    const since = this.#ages.since(segment, facts.lastTime, time, active)
    for (const share of this.#shares(segment, facts)) {
      if (letGoBy(share, since, time) !== undefined) continue
      const { topic } = share
      const isSealed = nextOffset(topic) === this.#ledger.endOf(topic) && this.#ledger.segmentsOf(topic) !== undefined
      yield { topic, bytes: this.#ledger.bytesOf(topic), isBusy: !isSealed || this.#triedIn.get(topic) === active }
    }
  }

  /** The topics that have need of a segment. */
  #needing(segment: number, { rows, lastTime }: SegmentFacts, ages: SegmentAges): SegmentRow[] {
    const { state, now } = this.#parts
    const time = now()
    const since = ages.since(segment, lastTime, time, state.activeSegment.load())
    return rows.filter((row) => row.count > 0 && letGoBy(this.#share(segment, row), since, time) === undefined)
  }

  /** The topics of a segment, the one that kept it last time first. */
  *#shares(segment: number, { rows }: SegmentFacts): Generator<TopicShare> {
    const start = this.#blocker < rows.length ? this.#blocker : 0
    for (let step = 0; step < rows.length; step++) {
      const at = (start + step) % rows.length
      if (rows[at].count === 0) continue
      this.#blocker = at
      yield this.#share(segment, rows[at])
    }
  }

  #share(segment: number, { topic, name, firstOffset, count, frameBytes }: SegmentRow): TopicShare {
    const { firstReadable, consumedTo } = this.#parts
    const retention = this.#policies.get(name) ?? this.#parts.retention
    return {
      topic,
      end: firstOffset + count,
      first: firstReadable(topic),
      isMoved: this.#ledger.isMoved(topic, segment) || segment < (this.#moves.get(topic) ?? 0),
      bytesBehind: this.#ledger.bytesOf(topic) - frameBytes,
      // Nobody else asks the groups.
      consumedTo: retention.consumed === true ? consumedTo(topic) : undefined,
      retention,
    }
  }

  #factsOf(segment: number): SegmentFacts | undefined {
    const { disk, files, plainMemory } = this.#parts
    return readSegmentFacts(disk, files, plainMemory, segment)
  }

  #keep(reason: KeptReason, topic = -1): false {
    const { state } = this.#parts
    state.keptTopic.store(topic)
    state.keptReason.store(keptReasons.indexOf(reason))
    return false
  }

  #pauseLeftMs(now: number): number {
    const left = this.#pauseUntil - now
    return left > 0 && left <= deletePauseMs ? left : 0
  }

  get #hasWatermarks(): boolean {
    return Object.values(this.#parts.diskWatermarks).some((at) => at !== undefined)
  }

  #isAbove(watermark: keyof DiskWatermarks): boolean {
    const at = this.#parts.diskWatermarks[watermark]
    return at !== undefined && this.#diskUse >= at
  }

  #watchDisk(): void {
    const { state, diskUse, now } = this.#parts
    // A clock that was put back must not stop the looking.
    if (!this.#hasWatermarks || Math.abs(now() - this.#diskLookedAt) < diskLookMs) return
    this.#diskLookedAt = now()
    this.#diskUse = diskUse()
    const refused = this.#isAbove('refuseAppendsAt') ? noSpaceErrno : 0
    if (state.refuseErrno.load() === refused) return
    state.refuseErrno.store(refused)
    state.writer.ring()
  }

  /** Why each of the oldest `limit` segments is there. */
  async describe(limit: number): Promise<KeptSegment[]> {
    const { state, files } = this.#parts
    const first = files.segmentOf(state.trim.load())
    const last = Math.max(state.activeSegment.load(), state.prepared.load())
    const found: KeptSegment[] = []
    // Of its own: the other is at the oldest segment.
    const ages = new SegmentAges(files)
    for (let segment = first; segment <= Math.min(last, first + limit - 1); segment++) {
      const active = state.activeSegment.load()
      const plain = (because: KeptReason) =>
        found.push({ segment, because, neededBy: [], neededByCount: 0, lastTime: undefined })
      if (segment > active) plain('prepared')
      else if (segment === active) plain('active')
      else if (segment >= this.#added) plain('unflushed')
      else {
        const facts = this.#factsOf(segment)
        if (facts === undefined) {
          plain('damaged')
          continue
        }
        const needing = this.#needing(segment, facts, ages)
        const because = needing.length > 0 ? 'needed' : segment === first ? this.#reason() : 'order'
        const neededBy = needing.slice(0, maxNamesOfNeed).map(({ name }) => name)
        found.push({ segment, because, neededBy, neededByCount: needing.length, lastTime: facts.lastTime })
        // The reaper has other things to do.
        await new Promise(setImmediate)
      }
    }
    return found
  }

  /** The oldest segment, needed by nobody: what keeps it for the moment. */
  #reason(): KeptReason {
    const { state } = this.#parts
    if (state.reaperErrno.load() !== 0) return 'device'
    const reason = keptReasons[state.keptReason.load()]
    return reason === 'pinned' ? reason : 'deleting'
  }
}

const noSpaceErrno = 28
/** How soon a segment is looked at again on which somebody holds a pin. */
const pinnedLookMs = 20
