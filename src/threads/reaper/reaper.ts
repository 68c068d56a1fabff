/**
 * The reaper: the life of segments. It prepares them ahead of the writer, takes page faults for it, flushes, writes the
 * index of sealed segments, retires idle mappings and deletes trimmed files.
 *
 * An event-loop thread: slow calls run off it, so that one slow flush does not hold up the rest. Nothing here sits on
 * the append or the read path. Each duty is a file beside this one: it looks at the shared words and does what is due; `tend()`
 * calls them all and is called on every bell and on a slow clock.
 */
import type { BackupReport, Retention, TopicIndex } from '../../engine/terms.js'
import { assert } from '../../errors.js'
import { ownerLostErrno } from '../../failures.js'
import { type FeatureSet, featureSet, featuresOf, setOf } from '../../format/features.js'
import { allocateRetryMs, indexQuietMs, maxSleepMs } from '../../limits.js'
import type { AbortWord } from '../../ring/abort-word.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { ControlFile } from '../../storage/files/control-file.js'
import type { Owner } from '../../storage/files/ownership.js'
import { type BackupSource, backUp } from '../../storage/life/backup.js'
import { errnoOf, isBug, isPassing } from '../device-error.js'
import type { KeptSegment } from '../protocol.js'
import { FlushDuty, type FlushDutyParts } from './flush-duty.js'
import type { FollowerDuty } from './follower-duty.js'
import type { GroupKeeper } from './group-keeper.js'
import { IndexDuty, type IndexDutyParts } from './index-duty.js'
import { PackingDuty, type PackingDutyParts } from './packing-duty.js'
import { PrefaultDuty, type PrefaultDutyParts } from './prefault-duty.js'
import { Replacements } from './replacements.js'
import { Retainer, type RetainerParts } from './retainer.js'
import { RetireDuty, type RetireDutyParts } from './retire-duty.js'
import { SegmentMaker, type SegmentMakerParts } from './segment-maker.js'
import { SideIndexDuty, type SideIndexDutyParts } from './side-index-duty.js'

/**
 * ```
 * owning ---> closing ---> ended
 *      \        |           ^
 *       +-----> lost --------+
 *           readOnly --------+
 * ```
 */
type Stage =
  /** Everything that is due is done. */
  | 'owning'
  /** Another process writes: only mappings are tended, nothing on disk is touched. */
  | 'readOnly'
  /** The log is not this process's any more: the same. */
  | 'lost'
  /** Nothing is tended; what is to be on disk before the end is written. */
  | 'closing'
  | 'ended'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  owning: ['closing', 'lost'],
  readOnly: ['ended'],
  lost: ['ended'],
  closing: ['lost', 'ended'],
  ended: [],
}

export interface ReaperParts
  extends RetainerParts,
    SegmentMakerParts,
    FlushDutyParts,
    Omit<IndexDutyParts, 'sides'>,
    SideIndexDutyParts,
    RetireDutyParts,
    PackingDutyParts,
    PrefaultDutyParts {
  state: SharedState<'reaper' | 'flusher'>
  directory: string
  /** Copies a range of a file, for backups. */
  copy: BackupSource['copy']
  control: ControlFile
  groups: GroupKeeper
  /** Undefined: nobody is told anything. */
  followers?: FollowerDuty
  owner: Owner
  bootId: string
  /** Only mappings are tended then; nothing on disk is touched. */
  readOnly: boolean
}

export class Reaper {
  readonly #parts: ReaperParts
  /** The log is not written any more once it is not `owning` or `closing`. */
  #stage: Stage
  readonly #flushes: FlushDuty
  readonly #index: IndexDuty
  readonly #sides: SideIndexDuty
  readonly #retire: RetireDuty
  readonly #prefault: PrefaultDuty
  readonly #packing: PackingDuty
  readonly #replacements: Replacements
  #lastActive = -1
  /** Backups under way: what they copy must not be deleted. */
  readonly #backups = new Set<Promise<unknown>>()
  readonly #retainer: Retainer
  readonly #maker: SegmentMaker

  constructor(parts: ReaperParts) {
    this.#parts = parts
    this.#stage = parts.readOnly ? 'readOnly' : 'owning'
    const { control, state } = parts
    state.featuresStated.store(setOf(control.identity.features))
    this.#flushes = new FlushDuty(parts, {
      isOwner: () => this.#isOwner(false),
      giveUp: (what, error) => this.#giveUp(what, error),
      writeControl: () => this.#writeControl(false),
    })
    const isOwner = () => this.#isOwner(true)
    this.#sides = new SideIndexDuty(parts, isOwner)
    this.#index = new IndexDuty({ ...parts, sides: this.#sides }, isOwner)
    this.#retire = new RetireDuty(parts)
    this.#replacements = new Replacements(parts, this.#retire)
    this.#prefault = new PrefaultDuty(parts)
    this.#maker = new SegmentMaker(parts)
    this.#packing = new PackingDuty(parts, {
      isOwner,
      mayReplace: () => this.#backups.size === 0 && !this.#retainer.isRewriting,
      statePacked: () => this.#require(featureSet('packed')),
      packed: (segment, size) => this.#replacements.packed(segment, size),
      failed: (error) => this.#replacements.failed('packing a segment', error),
    })
    this.#retainer = new Retainer(parts, {
      mayDelete: () => this.#backups.size === 0,
      mayRewrite: () => !this.#packing.isBusy,
      flushSoon: () => this.#flushes.soon(),
      state: (feature) => this.#require(featureSet(feature)),
      storeTrim: () => {
        this.#writeControl(false)
        control.sync()
      },
      retireSegment: (segment) => this.#retire.segment(segment),
      deleted: (segment) => parts.emit({ type: 'deleted', segment }),
      rewritten: (segment, bytes) => this.#rewritten(segment, bytes),
      rewriteFailed: (error) => this.#replacements.failed('writing a segment anew', error),
      moved: (topic, segment) => parts.emit({ type: 'moved', topic, segment }),
    })
  }

  /** Does everything that is due. Returns the number of ms after which there may be more without a bell. */
  tend(): number {
    if (this.#stage === 'closing' || this.#stage === 'ended') return Number.POSITIVE_INFINITY
    // Before all that writes, makes files and deletes them.
    if (this.#stage !== 'owning' || !this.#isOwner(false)) {
      this.#retire.idle()
      return this.#clockMs()
    }
    let isBehind = false
    let retainMs = Number.POSITIVE_INFINITY
    try {
      this.#stateFeatures()
      this.#flushes.meetWriter()
      this.#flushes.here()
      this.#reportRoll()
      this.#maker.tend()
      isBehind = this.#prefault.step()
      this.#retire.idle()
      this.#flushes.ifDue()
      if (this.#parts.state.reaperErrno.load() === 0) this.#parts.groups.tend()
      this.#index.ifDue()
      isBehind = this.#sides.step() || isBehind
      this.#packing.finish()
      retainMs = this.#retainer.step()
      // Behind whoever else wants to write one anew: it has its turn between two of them.
      retainMs = Math.min(retainMs, this.#packing.begin())
      this.#parts.followers?.tend()
    } catch (error) {
      if (isPassing(error)) return allocateRetryMs
      if (isBug(error)) throw error
      this.#giveUp('looking after the segments', error)
    }
    if (isBehind) return 0
    return Math.min(retainMs, this.#parts.state.allocateErrno.load() === 0 ? this.#clockMs() : allocateRetryMs)
  }

  /**
   * Stops the clockwork after flushing everything; the control record then says "clean". The lock may be lost at every step of it: then
   * nothing more is written, as another owner may be writing already.
   */
  async stop(isClean: boolean): Promise<void> {
    const { state, control, flusher, groups } = this.#parts
    // They have been told to end by whoever closes the log.
    await Promise.allSettled(this.#backups)
    await this.#retainer.stop()
    await this.#packing.stop()
    this.#parts.followers?.close()
    if (isClean && this.#isOwner(true)) await this.#flushes.once()
    else await this.#flushes.running
    if (this.#stage === 'owning') this.#enter('closing')
    await groups.stop(isClean && this.#isOwner(true) && state.reaperErrno.load() === 0)
    await this.#index.running
    // A clean log opens without walking anything but its tail.
    if (isClean && this.#isOwner(true)) await this.#index.finish()
    await this.#sides.running
    this.#sides.close()
    if (this.#isOwner(true)) {
      const isFlushed = state.durable.load() >= state.published.load()
      this.#writeControl(isClean && isFlushed && state.reaperErrno.load() === 0)
      control.sync()
    }
    control.close()
    flusher.close()
    this.#enter('ended')
  }

  /** A thread has ended without giving its mappings back: nobody else will. */
  ownerDied(threadId: number): void {
    this.#retire.ownerDied(threadId)
  }

  /** Resolves when all that is published now is on the device; at once where it cannot get there any more. */
  flushed(): Promise<void> {
    return this.#flushes.all()
  }

  /** Copies the log as it is now. Runs beside the other duties; only the deletion of segments waits for it. */
  async backUp(target: string, abort: AbortWord): Promise<BackupReport> {
    const { state, disk, files, calls, copy, control, epoch, bootId, directory } = this.#parts
    const running = backUp(
      {
        disk,
        files,
        calls,
        directory,
        created: control.identity.created,
        features: () => control.identity.features,
        now: () => ({
          epoch,
          published: state.published.load(),
          durable: state.durable.load(),
          trim: state.trim.load(),
          time: state.publishedTime.load(),
          bootId,
        }),
        indexed: () => state.indexed.load(),
        copy,
        isAborted: () => abort.isRaised,
      },
      target,
    )
    this.#backups.add(running)
    try {
      return await running
    } finally {
      this.#backups.delete(running)
      state.reaper.ring()
    }
  }

  /** Idle mappings go within two TTLs with nothing but time passing: the clock ticks four times in one. */
  #clockMs(): number {
    const { mapTtlMs, flushIntervalMs, state, groups, followers } = this.#parts
    // Nothing else is done then.
    if (this.#stage !== 'owning') return mapTtlMs / 4
    const isDirty = state.published.load() > state.durable.load() || groups.isDirty
    const dues = [mapTtlMs / 4, followers?.clockMs ?? maxSleepMs, this.#flushes.meetMs]
    if (isDirty) dues.push(flushIntervalMs / 2)
    if (this.#index.isBehind || this.#sides.isBehind) dues.push(indexQuietMs)
    return Math.max(5, Math.min(...dues))
  }

  #rewritten(segment: number, bytes: number): void {
    this.#sides.rewritten(segment)
    this.#replacements.rewritten(segment, bytes)
    this.#packing.lookAgain(segment)
  }

  /** The writer waits with the first of something until the log says that it holds such things. */
  #stateFeatures(): void {
    this.#require(this.#parts.state.featuresWanted.load())
  }

  #require(features: FeatureSet): void {
    const { state, control } = this.#parts
    const wanted = features & ~state.featuresStated.load()
    if (wanted === 0) return
    control.require(featuresOf(wanted))
    // Behind the device: what it says is written from here on.
    state.featuresStated.store(setOf(control.identity.features))
    state.writer.ring()
  }

  #reportRoll(): void {
    const active = this.#parts.state.activeSegment.load()
    if (active > this.#lastActive && this.#lastActive >= 0) {
      for (let segment = this.#lastActive; segment < active; segment++) this.#parts.emit({ type: 'rolled', segment })
    }
    this.#lastActive = active
  }

  /**
   * False: another owner may have the log, and nothing is written any more.
   * @param looks else a look of a moment ago will do
   */
  #isOwner(looks: boolean): boolean {
    const { owner } = this.#parts
    if (this.#stage !== 'owning' && this.#stage !== 'closing') return false
    if (looks ? owner.isKept() : owner.isKeptOfLate()) return true
    this.#enter('lost')
    const lost = Object.assign(new Error('the lock is lost'), { errno: ownerLostErrno, code: 'BOOKEND_LOCKED' })
    this.#giveUp('keeping the lock', lost)
    return false
  }

  #enter(next: Stage): void {
    assert(mayFollow[this.#stage].includes(next), `the reaper of a log may be ${next} after ${this.#stage}`)
    this.#stage = next
  }

  /** See {@link GroupKeeperParts.onFailure}. */
  groupsFailed(error: unknown): void {
    this.#giveUp('flushing the groups', error)
  }

  /** The device failed: from here on nothing is written any more, and everybody who waits is told. */
  #giveUp(what: string, error: unknown): void {
    const { state, lanes } = this.#parts
    const { errno, code } = errnoOf(error)
    if (state.reaperErrno.load() !== 0) return
    state.reaperErrno.store(errno)
    this.#parts.emit({ type: 'error', what, code, errno })
    lanes.bells.ring()
    state.writer.ring()
  }

  #writeControl(isClean: boolean): void {
    const { state, control, epoch, bootId } = this.#parts
    control.write({
      epoch,
      isClean,
      published: state.published.load(),
      durable: state.durable.load(),
      trim: state.trim.load(),
      time: state.publishedTime.load(),
      bootId,
    })
  }

  /** A topic is kept as said from now on. */
  retain(topic: string, retention: Retention): void {
    this.#retainer.retain(topic, retention)
  }

  /** A topic is indexed by all of this from now on. */
  index(topic: string, index: TopicIndex): void {
    this.#sides.want(topic, index)
  }

  segments(limit: number): Promise<KeptSegment[]> {
    return this.#retainer.describe(limit, this.#packing.outlook.bind(this.#packing))
  }
}
