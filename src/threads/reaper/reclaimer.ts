/**
 * Reclaiming: looks through the sealed segments for those of which enough is needed by nobody, and writes one after the other anew without
 * it, off the append path. When a segment may be looked at, and when the new file takes its name, the retainer says.
 */
import type { RewritingOutlook } from '../../engine/stats.js'
import { isHiddenTopic } from '../../format/hidden-topics.js'
import { maxIdWindowMs, reclaimIdleMs, reclaimLookMs, reclaimRetryMs, usualTombstoneMs } from '../../limits.js'
import { hasFeature, type SharedState } from '../../ring/shared-state.js'
import { supersedesBefore } from '../../ring/state-reads.js'
import type { GoneRecords } from '../../storage/compact/gone-records.js'
import { type Compacted, Supersession } from '../../storage/compact/supersession.js'
import { readSealedFile, type SealedSegment } from '../../storage/index/sealed-index.js'
import { ExpiryForecast } from '../../storage/life/expiry-forecast.js'
import { isWorthReclaiming, planReclaim, type ReclaimPlan } from '../../storage/life/reclaim.js'
import type { SegmentRow } from '../../storage/life/retention-ledger.js'
import { SegmentAges } from '../../storage/life/segment-ages.js'
import { type RewriteTools, SegmentRewrite, UnfitSegment } from '../../storage/rewrite/segment-rewrite.js'
import type { SegmentNeeds } from './segment-needs.js'

/** Segments that are looked at in one step. */
const looksPerStep = 8
/** So long it is looked into one of them in one step, or for as long as a part of that takes. */
const walkMsPerStep = 2
/** After a look through all of them it rests so many times as long as that has taken: however many there are, it is a small part of what the thread does. */
const restShare = 19
const maxRestMs = 60_000

export interface ReclaimerParts extends RewriteTools {
  state: SharedState<'reaper'>
  now(): number
  nowMs(): number
}

export interface DirtySegment extends ReclaimPlan {
  segment: number
  /** Messages that had expired by then, of these topics, go. */
  expiredBy: number
  expiring: ReadonlySet<number>
  /** What is superseded, by number of the topic. */
  gone: ReadonlyMap<number, GoneRecords>
}

/** A look at all sealed segments, the oldest first. */
interface Pass {
  next: number
  readonly sight: number
  /** What it has taken up to now, without what is done once in the life of a segment. */
  tookMs: number
  /** Of {@link next}, while it is looked at. */
  sealed: SealedSegment | undefined
  readonly older: OlderBytes
}

/** What older segments hold of each topic that counts, in bytes. */
export type OlderBytes = Map<number, number>

/** One segment being written anew. */
interface Run {
  readonly rewrite: SegmentRewrite
  state: 'writing' | 'written' | 'failed'
  error?: unknown
}

class Aborted extends Error {}

export class Reclaimer {
  readonly #parts: ReclaimerParts
  readonly #needs: SegmentNeeds
  readonly #ages: SegmentAges
  /** Segments that are as no segment should be: they stay as they are. */
  readonly #unfit = new Set<number>()
  /** Of segments in which something may expire. */
  readonly #forecasts = new Map<number, ExpiryForecast>()
  /** Undefined: no topic is compacted. */
  #supersession: Supersession | undefined
  #pass: Pass | undefined
  /** The last one: what there was when it began, when it ended, ms since the epoch, and how long the next one is put off for what it took. */
  #last = { sight: -1, endedAt: 0, restMs: 0 }
  #refusedUntil = 0
  #run: Run | undefined
  #running: Promise<void> | undefined
  #isAborted = false

  constructor(parts: ReclaimerParts, needs: SegmentNeeds) {
    this.#parts = parts
    this.#needs = needs
    this.#ages = new SegmentAges(parts.files)
  }

  /** Ms until there may be something to look at. */
  waitMs(now: number): number {
    const { sight, endedAt, restMs } = this.#last
    const pauseMs = sight === this.#sight() ? reclaimIdleMs : reclaimLookMs
    const due = this.#pass === undefined ? endedAt + Math.max(pauseMs, restMs) : 0
    const left = Math.max(due, this.#refusedUntil) - now
    // A clock that was put back does not hold it up.
    return left > Math.max(maxRestMs, reclaimIdleMs, reclaimRetryMs) ? 0 : Math.max(0, left)
  }

  /** What may go has changed. */
  lookSoon(): void {
    this.#last = { sight: -1, endedAt: 0, restMs: 0 }
  }

  /** Other topics are compacted from now on. */
  compactAnew(): void {
    this.#supersession?.close()
    this.#supersession = undefined
    this.#pass = undefined
  }

  /** Looks at some more segments. @returns `looking`: there are more to be looked at */
  next(now: number): DirtySegment | 'looking' | undefined {
    if (this.waitMs(now) > 0) return undefined
    this.#pass ??= this.#begin(this.#first())
    const pass = this.#pass
    const found = this.#lookOn(pass, now)
    if (found !== undefined) return found
    this.#pass = undefined
    this.#last = { sight: pass.sight, endedAt: now, restMs: Math.min(maxRestMs, pass.tookMs * restShare) }
    return undefined
  }

  /** @returns undefined: all were looked at */
  #lookOn(pass: Pass, now: number): DirtySegment | 'looking' | undefined {
    const { state, nowMs } = this.#parts
    const first = this.#first()
    if (pass.next < first) Object.assign(pass, { next: first, sealed: undefined })
    this.#supersession?.dropBelow(first)
    if (this.#needs.compacts) {
      this.#supersession ??= new Supersession(this.#parts, first, this.#compacted())
      // Before the segments are looked at: who begins later reads what is in them as well.
      if (this.#supersession.catchUp(this.#needs.added, supersedesBefore(state, now))) return 'looking'
    }
    const active = state.activeSegment.load()
    const end = Math.min(this.#needs.added, active)
    for (let looks = 0; looks < looksPerStep && pass.next < end; looks++) {
      const begunMs = nowMs()
      pass.sealed ??= this.#read(pass.next)
      pass.tookMs += nowMs() - begunMs
      while (this.#walkOn(pass.next, pass.sealed)) if (nowMs() - begunMs >= walkMsPerStep) return 'looking'
      const lookedMs = nowMs()
      const dirty = this.#look(pass, now, active)
      pass.tookMs += nowMs() - lookedMs
      if (dirty !== undefined) return dirty
    }
    return pass.next < end ? 'looking' : undefined
  }

  #first(): number {
    const { state, files } = this.#parts
    return files.segmentOf(state.trim.load())
  }

  /** Writes it anew, beside the old one, without {@link DirtySegment.kept}'s older records. Rings when that has come to an end. */
  begin({ segment, kept: from, expiredBy, expiring, gone }: DirtySegment): void {
    const { state } = this.#parts
    const rewrite = new SegmentRewrite(this.#parts, segment, { from, expiredBy, expiring, gone })
    const run: Run = { rewrite, state: 'writing' }
    this.#run = run
    const turn = async () => {
      await new Promise(setImmediate)
      if (this.#isAborted) throw new Aborted()
    }
    this.#running = run.rewrite
      .write(turn)
      .then(
        () => {
          run.state = 'written'
        },
        (error) => {
          run.state = 'failed'
          run.error = error
        },
      )
      .finally(() => state.reaper.ring())
  }

  /** False: it is still being written. */
  get isThrough(): boolean {
    return this.#run?.state !== 'writing'
  }

  /**
   * The file that was written takes the name of its segment.
   * @returns false: there is none, since it could not be written
   * @throws what it failed with, where that is no property of the segment
   */
  finish(now: number): boolean {
    const run = this.#run
    this.#run = undefined
    if (run === undefined) return false
    try {
      if (run.state === 'failed') throw run.error
      run.rewrite.takeName()
      this.#forecasts.delete(run.rewrite.segment)
      this.#supersession?.rewritten(run.rewrite.segment)
      return true
    } catch (error) {
      run.rewrite.discard()
      // It has counted on what would be gone.
      this.#pass = undefined
      if (!(error instanceof UnfitSegment)) {
        this.#refusedUntil = now + reclaimRetryMs
        throw error
      }
      this.#unfit.add(run.rewrite.segment)
      return false
    }
  }

  /** Gives up what is being written. */
  async stop(): Promise<void> {
    this.#isAborted = true
    this.#supersession?.close()
    await this.#running
    this.#run?.rewrite.discard()
    this.#run = undefined
  }

  #begin(first: number): Pass {
    for (const segment of this.#unfit) if (segment < first) this.#unfit.delete(segment)
    for (const segment of this.#forecasts.keys()) if (segment < first) this.#forecasts.delete(segment)
    return { next: first, sealed: undefined, older: new Map(), sight: this.#sight(), tookMs: 0 }
  }

  /** Nothing is let go, but by time, while this stays the same. */
  #sight(): number {
    const { state } = this.#parts
    const ended = state.stateReadsEnded.load()
    return state.published.load() + state.commitDone.load() + state.deletedCount.load() + ended
  }

  /** Undefined: it is no segment as one should be. */
  #read(segment: number): SealedSegment | undefined {
    const { disk, files } = this.#parts
    return this.#unfit.has(segment) ? undefined : readSealedFile(disk, files, segment)
  }

  /** Looks a step further into what of a segment counts no more. False: that is known, or does not matter. */
  #walkOn(segment: number, sealed: SealedSegment | undefined): boolean {
    return sealed !== undefined && (this.#supersession?.step(segment) === true || this.#forecastOn(segment, sealed))
  }

  /** Into when its messages expire. */
  #forecastOn(segment: number, { rows }: SealedSegment): boolean {
    const { state, files } = this.#parts
    if (!hasFeature(state, 'expiry')) return false
    let forecast = this.#forecasts.get(segment)
    if (forecast === undefined) {
      forecast = new ExpiryForecast(files, segment, visibleOf(rows))
      this.#forecasts.set(segment, forecast)
    }
    return forecast.step()
  }

  /** At the next one of the pass, which goes on behind it. */
  #look(pass: Pass, now: number, active: number): DirtySegment | undefined {
    const { sealed } = pass
    const segment = pass.next++
    pass.sealed = undefined
    if (sealed === undefined) return undefined
    const { lastTime } = sealed.footer
    // Whoever forgot an id would let its message be written again.
    if (lastTime + maxIdWindowMs < now) this.#supersession?.forgetIds(segment)
    const since = this.#ages.since(segment, lastTime, now, active)
    const plan = this.weigh(segment, sealed.rows, since, now, pass.older)
    if (!isWorthReclaiming(plan)) return undefined
    const gone = this.#supersession?.goneIn(segment) ?? new Map()
    return { segment, ...plan, expiredBy: now, expiring: visibleOf(sealed.rows), gone }
  }

  /** What may go of a segment, as far as it was looked at. @param older of it as well from here on */
  weigh(segment: number, rows: readonly SegmentRow[], since: number, now: number, older: OlderBytes): ReclaimPlan {
    let passed = this.#forecasts.get(segment)?.expiredAt(now) ?? 0
    for (const { bytes } of this.#supersession?.goneIn(segment).values() ?? []) passed += bytes
    const plan = planReclaim(this.#needs.sizedShares(segment, rows, older), since, now, passed)
    // What would go all the same is not what is behind others.
    const isGone = isWorthReclaiming(plan)
    for (const { topic, frameBytes, firstOffset, count } of rows)
      if (!isGone || (plan.kept.get(topic)?.offset ?? 0) < firstOffset + count)
        older.set(topic, (older.get(topic) ?? 0) + frameBytes)
    return plan
  }

  /** What becomes of a segment of which so much may go. */
  outlook(segment: number, plan: ReclaimPlan, now: number): RewritingOutlook {
    const { bytes, messageBytes, leastBytes } = plan
    const isDue = isWorthReclaiming(plan)
    const isRunning = this.#run?.rewrite.segment === segment
    return {
      state: isRunning ? 'running' : this.#unfit.has(segment) ? 'unfit' : isDue ? 'due' : bytes > 0 ? 'few' : 'clean',
      messageBytes,
      deadBytes: Math.round(bytes),
      leastBytes: Math.ceil(leastBytes),
      at: isDue && !isRunning && !this.#unfit.has(segment) ? now + this.waitMs(now) : undefined,
    }
  }

  /** Tombstones of the topic in the segment that are no older than they have to be for going, or are needed by a group or for what is older. */
  tombstonesIn(segment: number, topic: number): number {
    return this.#supersession?.tombstonesIn(segment, topic) ?? 0
  }

  #compacted(): Compacted {
    const { now } = this.#parts
    const includes = this.#needs.compactedTopics()
    return {
      includes,
      tombstonesBelow: (topic, name, lastTime) => {
        const { tombstoneMs = usualTombstoneMs } = this.#needs.retentionOf(name)
        // A clock that was ahead says nothing about their age.
        return lastTime + tombstoneMs > now() ? 0 : (this.#needs.consumedTo(topic, name) ?? Number.POSITIVE_INFINITY)
      },
    }
  }
}

/** What the log keeps for itself does not expire, whatever it says. */
function visibleOf(rows: readonly { topic: number; name: string }[]): ReadonlySet<number> {
  return new Set(rows.filter(({ name }) => !isHiddenTopic(name)).map(({ topic }) => topic))
}
