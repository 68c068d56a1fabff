/**
 * The reaper's hand for retention: gathers the facts, has `storage/life/retention.ts` decide, and carries the decision out, one small
 * step a call, so that nothing else of the reaper waits for it.
 *
 * ```
 *   look --move--> waiting for the writer ---------------------------------------------------> look
 *     \--delete--> waiting for the writer -> waiting for the flush -> removing, file by file -> pausing -> look
 *      \--reclaim-> waiting for the writer -> waiting for the flush -> writing anew, taking the name ---> look
 * ```
 *
 * Order of a deletion: offsets of groups that were relied on are durable; the writer has raised the topics' first offsets and
 * declared anew what only these segments declare; that is durable; the trim position is durable; then the files go, oldest
 * first, each when nobody holds a pin on it; then the directory is flushed. Where a segment is written anew without what nobody needs:
 * the same up to the flush, which makes durable what was moved out of it as well; then the file, flushed before it takes the name.
 */
import type { KeptReason, Retention } from '../../engine/terms.js'
import type { FeatureName } from '../../format/features.js'
import { deletePassBytes, deletePauseMs, diskLookMs, maxRowsPerStep, maxSegmentsPerPass } from '../../limits.js'
import { keptReasons } from '../../ring/shared-state.js'
import { decide } from '../../storage/life/retention.js'
import type { SegmentFacts } from '../../storage/life/retention-ledger.js'
import { SegmentAges } from '../../storage/life/segment-ages.js'
import type { KeptSegment, Order } from '../protocol.js'
import { DiskWatch, type DiskWatchParts } from './disk-watch.js'
import { describeKept, type KeptBy } from './kept-segments.js'
import { type DirtySegment, Reclaimer, type ReclaimerParts } from './reclaimer.js'
import { SegmentNeeds, type SegmentNeedsParts } from './segment-needs.js'
import { type OldestSegment, TopicMoves } from './topic-moves.js'

/** How soon a segment is looked at again on which somebody holds a pin. */
const pinnedLookMs = 20

export interface RetainerParts extends SegmentNeedsParts, DiskWatchParts, ReclaimerParts {
  /** Called before a deletion that relies on what groups have consumed: makes the committed offsets durable. */
  beforeConsumedTrim(): void
  send(order: Order): void
}

/** What the reaper does for it. */
export interface RetainerHost {
  /** False while somebody copies the segments. */
  mayDelete(): boolean
  /** False while somebody else writes a segment anew: it rings when it is through. */
  mayRewrite(): boolean
  /** Has everything published flushed soon. */
  flushSoon(): void
  /** The log says from here on, durably, that it holds such things. */
  state(feature: FeatureName): void
  /** Makes the trim position durable. */
  storeTrim(): void
  /** Retires the mappings of a segment. False: somebody holds a pin. */
  retireSegment(segment: number): boolean
  deleted(segment: number): void
  /** A segment was written anew; whoever has the old file open has it as it was. @param bytes about so many are free again */
  rewritten(segment: number, bytes: number): void
  /** It could not be, and the log is none the worse for it. */
  rewriteFailed(error: unknown): void
  moved(topic: number, segment: number): void
}

type Stage =
  | { name: 'looking' }
  | { name: 'ordered'; order: Order; number: number; end: number; active: number }
  | { name: 'flushing'; position: number; end: number }
  | { name: 'declaring'; dirty: DirtySegment; number: number; position: number | undefined }
  | { name: 'rewriting'; dirty: DirtySegment; before: SegmentFacts }
  | { name: 'removing'; next: number; end: number }

export class Retainer {
  readonly #parts: RetainerParts
  readonly #host: RetainerHost
  readonly #needs: SegmentNeeds
  readonly #moves: TopicMoves
  readonly #disk: DiskWatch
  readonly #ages: SegmentAges
  readonly #reclaimer: Reclaimer
  #stage: Stage = { name: 'looking' }
  /** Read when it became the oldest. */
  #oldest: OldestSegment | undefined
  /** Ms since the epoch before which nothing can have changed by age alone. */
  #until = 0
  /** A look whether topics can be moved that was left out for the moment is due after this. */
  #moveLookMs = Number.POSITIVE_INFINITY
  /** The next look for what can be reclaimed, where there was one just now: nothing waits for it otherwise. */
  #reclaimLookMs = Number.POSITIVE_INFINITY
  #pauseUntil = 0

  constructor(parts: RetainerParts, host: RetainerHost) {
    this.#parts = parts
    this.#host = host
    this.#needs = new SegmentNeeds(parts)
    this.#moves = new TopicMoves(parts, this.#needs)
    this.#disk = new DiskWatch(parts)
    this.#ages = new SegmentAges(parts.files)
    this.#reclaimer = new Reclaimer(parts, this.#needs)
    // Left over by a reaper that died over it: the trim position is durable, or the next one has made it so.
    const left = parts.files.list().at(0)
    const end = this.#needs.added
    if (left !== undefined && left < end) this.#stage = { name: 'removing', next: left, end }
  }

  /** In force until the log closes. */
  retain(topic: string, retention: Retention): void {
    const wasCompacted = this.#needs.retentionOf(topic).compact === true
    this.#needs.retain(topic, retention)
    if (wasCompacted !== (retention.compact === true)) this.#reclaimer.compactAnew()
    this.#until = 0
    this.#reclaimer.lookSoon()
  }

  /** Why each of the oldest `limit` segments is there, and what becomes of it. */
  describe(limit: number, packing: KeptBy['packing']): Promise<KeptSegment[]> {
    return describeKept(this.#parts, { needs: this.#needs, reclaimer: this.#reclaimer, packing }, limit)
  }

  /** Does the next small step. Returns the ms after which there may be more without a bell. */
  step(): number {
    const { state } = this.#parts
    this.#disk.tend()
    const now = this.#parts.now()
    this.#moveLookMs = Number.POSITIVE_INFINITY
    this.#reclaimLookMs = Number.POSITIVE_INFINITY
    const isWhole = state.reaperErrno.load() === 0
    if (isWhole && (this.#needs.catchUp() || (this.#host.mayDelete() && this.#advance()))) return 0
    if (this.#stage.name === 'removing') return pinnedLookMs
    const lookMs = this.#disk.isNeeded ? diskLookMs : this.#needs.asksGroups ? 1_000 : Number.POSITIVE_INFINITY
    const dueMs = this.#until > 0 ? this.#until - now : Number.POSITIVE_INFINITY
    // It may have begun in this step, by a clock that has gone on since.
    const pauseMs = this.#pauseLeftMs(this.#parts.now()) || Number.POSITIVE_INFINITY
    return Math.max(5, Math.min(dueMs, pauseMs, lookMs, this.#moveLookMs, this.#reclaimLookMs))
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
      case 'declaring':
        return this.#followDeclaring(stage)
      case 'rewriting':
        return this.#followRewriting(stage)
    }
  }

  /** A segment is being written anew, or about to be. */
  get isRewriting(): boolean {
    return this.#stage.name === 'declaring' || this.#stage.name === 'rewriting'
  }

  /** Gives up what is under way and not decided yet. */
  stop(): Promise<void> {
    return this.#reclaimer.stop()
  }

  #look(): boolean {
    const { state, files, now } = this.#parts
    const needs = this.#needs
    const first = files.segmentOf(state.trim.load())
    const time = now()
    this.#until = 0
    // Of a reaper before this one: carried out like any other, and then decided anew from what there is.
    if (state.ordersDone.load() !== state.ordersGiven.load()) return this.#keep('deleting')
    if (first >= state.activeSegment.load()) return this.#keep('active')
    if (first >= needs.added) return this.#keep('unflushed')
    const isPaused = this.#pauseLeftMs(time) > 0
    if (isPaused && !this.#disk.isAbove('deleteExpiredAt')) return false
    const firsts: [number, number][] = []
    let isByConsumption = false
    // What may go ends behind a segment that is known; an unreadable one goes with the one behind it, not by itself.
    let end = first
    let segment = first
    const most = Math.min(maxSegmentsPerPass, Math.max(1, Math.floor(deletePassBytes / files.segmentBytes)))
    let looked = 0
    for (; segment < needs.added && segment < first + most && looked < maxRowsPerStep; segment++) {
      // A disk that is too full gives up one segment at a time, then is looked at again.
      const isAnyway = this.#disk.isAbove('deleteAnywayAt') && segment === first && !isPaused
      const oldest = this.#lookAt(segment)
      if (oldest === undefined) {
        if (isAnyway) end = segment + 1
        continue
      }
      const { facts, blocker } = oldest
      const since = this.#ages.since(segment, facts.lastTime, time, state.activeSegment.load())
      const verdict = decide(needs.shares(segment, facts, blocker), since, time, isAnyway)
      if (verdict.verdict === 'keep') {
        oldest.blocker = verdict.neededBy.row
        this.#until = Number.isFinite(verdict.until) ? verdict.until : 0
        if (end > first) break
        // Before anything is moved: what has expired need not be. Then it is decided anew.
        if (needs.lookForExpiry(segment)) return true
        if (this.#orderMove(oldest, since, time)) return true
        if (segment > first) this.#keep('damaged')
        else this.#keep('needed', verdict.neededBy.topic)
        return this.#lookForDirty(time)
      }
      looked += facts.rows.length
      for (const topic of verdict.firsts) firsts.push(topic)
      isByConsumption ||= verdict.isByConsumption
      needs.remove(segment, facts)
      end = segment + 1
    }
    if (end === first) return this.#keep('damaged')
    this.#oldest = undefined
    // The flush of the groups' offsets comes first: a power cut must not bring a group back to messages that are gone.
    if (isByConsumption) this.#parts.beforeConsumedTrim()
    this.#order({ kind: 'forget', below: end, firsts }, end)
    return this.#keep('deleting')
  }

  #lookAt(segment: number): OldestSegment | undefined {
    if (this.#oldest?.segment === segment) return this.#oldest
    const facts = this.#needs.factsOf(segment)
    if (facts === undefined) return undefined
    this.#oldest = { segment, facts, blocker: 0 }
    return this.#oldest
  }

  /** Orders one topic of those that need the segment to be moved, if that is worth while. */
  #orderMove(oldest: OldestSegment, since: number, now: number): boolean {
    const waitMs = this.#moves.waitMs(oldest, now)
    if (waitMs > 0) {
      this.#moveLookMs = waitMs
      return false
    }
    const moved = this.#moves.next(oldest, since, now)
    if (moved === undefined) return false
    this.#order({ kind: 'move', moved }, oldest.segment)
    return true
  }

  #order(order: Order, end: number): void {
    const active = this.#parts.state.activeSegment.load()
    this.#stage = { name: 'ordered', order, number: this.#give(order), end, active }
  }

  /** Returns the number of the order. */
  #give(order: Order): number {
    const { state, send } = this.#parts
    // Sent before the word that announces it.
    send(order)
    const number = state.ordersGiven.load() + 1
    state.ordersGiven.store(number)
    state.writer.ring()
    return number
  }

  /** For a segment that is worth writing anew, some of them a step. True: one was found, or there are more. */
  #lookForDirty(now: number): boolean {
    if (!this.#host.mayRewrite()) return false
    const dirty = this.#reclaimer.next(now)
    if (dirty === undefined) {
      this.#reclaimLookMs = this.#reclaimer.waitMs(now)
      return false
    }
    if (dirty === 'looking') return true
    // Tombstones that go have been seen by every group, and a power cut must not bring one back to where it had not.
    if (dirty.isByConsumption || dirty.gone.size > 0) this.#parts.beforeConsumedTrim()
    // What is left of them says that it has expired: an owner that would not look there must not open the log from here on.
    if (dirty.gone.size > 0) this.#host.state('expiry')
    const number = this.#give({ kind: 'raise', firsts: dirty.firsts })
    this.#stage = { name: 'declaring', dirty, number, position: undefined }
    return true
  }

  #followDeclaring(stage: Extract<Stage, { name: 'declaring' }>): boolean {
    const { state } = this.#parts
    const { dirty, number } = stage
    if (state.ordersDone.load() !== number) return false
    if (stage.position === undefined) {
      stage.position = state.published.load()
      this.#host.flushSoon()
    }
    // What was moved is on the device where it is now, before it goes from where it was.
    if (state.durable.load() < stage.position) return false
    const before = this.#needs.factsOf(dirty.segment)
    this.#stage = { name: 'looking' }
    if (before === undefined) return true
    this.#reclaimer.begin(dirty)
    this.#stage = { name: 'rewriting', dirty, before }
    return true
  }

  #followRewriting({ dirty, before }: Extract<Stage, { name: 'rewriting' }>): boolean {
    if (!this.#reclaimer.isThrough) return false
    const { segment, bytes } = dirty
    this.#stage = { name: 'looking' }
    try {
      if (!this.#reclaimer.finish(this.#parts.now())) return true
    } catch (error) {
      this.#host.rewriteFailed(error)
      return true
    }
    if (this.#oldest?.segment === segment) this.#oldest = undefined
    this.#needs.rewritten(segment, before)
    this.#host.rewritten(segment, bytes)
    return true
  }

  #followOrder({ order, number, end, active }: Extract<Stage, { name: 'ordered' }>): boolean {
    const { state } = this.#parts
    if (state.ordersDone.load() !== number) return false
    if (order.kind === 'move') {
      if (state.orderResult.load() === 1) {
        const { batches, topic } = order.moved
        const bytes = batches.reduce((sum, { frames }) => sum + frames.length, 0)
        state.movedBytes.store(state.movedBytes.load() + bytes)
        this.#needs.noteMoved(topic, active)
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
    this.#disk.lookSoon()
    this.#stage = { name: 'looking' }
    return false
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
}
