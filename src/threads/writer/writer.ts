/**
 * The writer: takes frames from the rings of all lanes and appends them to the log. The only thread that stores into the tail.
 *
 * `doWork()` does what there is to do and returns how much it was, so that tests can drive it without a thread. It
 * never calls fsync, never creates a file and never waits for a reader.
 */

import type { IdSpan } from '../../engine/terms.js'
import { assert, BookendError } from '../../errors.js'
import { mayPass, ownerLostErrno, ownerLostError } from '../../failures.js'
import type { FeatureSet } from '../../format/features.js'
import {
  flagsOf,
  frameBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  hasOwnConditions,
  kindOf,
} from '../../format/frame-layout.js'
import { allocateRetryMs, maxSleepMs, maxStagedBytes, maxUnflushedBytes, quietMsToMap } from '../../limits.js'
import { failedCall } from '../../memory/errno.js'
import { SystemCallError } from '../../memory/memory.js'
import { writerState } from '../../ring/shared-state.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import type { Owner } from '../../storage/files/ownership.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import type { IdsPart } from '../protocol.js'
import type { CommitWriter } from './commit-writer.js'
import { type GroupExtent, groupExtent, groupsExtent } from './group-extent.js'
import { GuardedAppends } from './guarded-appends.js'
import type { KnownId } from './id-table.js'
import { IdWindows, type RecallIds } from './id-windows.js'
import { KeyedAppends } from './keyed-appends.js'
import type { LaneIntake } from './lane-intake.js'
import { OrderTaker, type OrderTakerParts } from './order-taker.js'
import { OwnConditions } from './own-conditions.js'
import { Publisher, type PublisherParts } from './publisher.js'

export interface WriterParts extends PublisherParts, OrderTakerParts {
  files: SegmentFiles
  /** Groups have their turn after every batch. */
  commits: CommitWriter
  owner: Owner
  /** Reads the ids of messages back. */
  recallIds: RecallIds
  /** The wall clock. */
  now: () => number
}

export class Writer {
  readonly #parts: WriterParts
  readonly #publisher: Publisher
  readonly #orders: OrderTaker
  readonly #guarded: GuardedAppends
  readonly #ownConditions: OwnConditions
  readonly #ids: IdWindows
  readonly #keys: KeyedAppends
  /** Why the last write was refused for lack of space, where the file system says so only when it is written to. */
  #fullErrno = 0
  #nextOpened = -1
  /** The reaper knows how much is waited for. */
  #isWishing = false
  #isStalled = false
  /** The log is not this process's any more. */
  #isLost = false

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#publisher = new Publisher(parts)
    this.#ids = new IdWindows(parts.recallIds, parts.now)
    this.#keys = new KeyedAppends((topic) => parts.tail.next(topic))
    this.#guarded = new GuardedAppends({
      tail: parts.tail,
      publisher: this.#publisher,
      ids: this.#ids,
      keys: this.#keys,
      mayHold: (features) => this.#mayHold(features),
      makeRoom: (bytes, records, topics) => this.#makeRoom(bytes, records, topics),
      appendGroup: (run, from, to, extent) => this.#appendGroup(run, from, to, extent),
    })
    this.#ownConditions = new OwnConditions({
      ...{ tail: parts.tail, publisher: this.#publisher, ids: this.#ids, cells: parts.topics },
      append: (memory, from, to) => this.#appendLone(memory, from, to),
    })
    this.#orders = new OrderTaker(parts, {
      makeRoom: (bytes, records) => this.#makeRoom(bytes, records),
      publish: () => this.#publisher.publish(),
    })
  }

  /** Between two turns: true if there is something new to write that can be written. Asked some thousand times before each sleep. */
  get hasWork(): boolean {
    const { state, turns, commits } = this.#parts
    if (!turns.hasNews && !commits.hasWork) return false
    if (this.#isLost) return false
    return commits.hasWork || (!this.#isStalled && state.writerState.load() < writerState.failed)
  }

  /** True if frames are waiting that cannot be written for lack of a segment. */
  get isStalled(): boolean {
    return this.#isStalled
  }

  /** True if the appends last published wait for the reaper now: the next will hardly come before it is done. */
  get isFlushAwaited(): boolean {
    return this.#publisher.isFlushAwaited
  }

  /** For so long at the most nothing has to be done unless the bell rings. */
  get sleepMs(): number {
    if (this.#isStalled) return allocateRetryMs
    return this.#parts.tail.isUnmapped ? quietMsToMap : maxSleepMs
  }

  /** Appends what the rings hold. Returns the bytes taken from them; 0: nothing to do, or stalled. */
  doWork(): number {
    const { state, turns, tail, commits, bell } = this.#parts
    if (!this.#mayWrite()) return 0
    if (bell.isCalled) bell.ring()
    commits.doWork()
    if (state.writerState.load() >= writerState.failed) return 0
    this.#isStalled = false
    this.#fullErrno = 0
    try {
      this.#orders.obey()
      // Above the watermark nothing is appended; what frees space goes on.
      if (state.refuseErrno.load() !== 0) this.#isStalled = true
      while (!this.#isStalled && this.#mayWrite()) {
        const lane = turns.next()
        if (lane === undefined) break
        // Every step publishes what it appended.
        if (this.#step(lane)) commits.doWork()
        else turns.found(lane)
      }
    } catch (error) {
      this.#stop(error)
    }
    if (this.#isWishing && !this.#isStalled) {
      state.blocksWanted.store(0)
      this.#isWishing = false
    }
    if (this.#isStalled) this.#refuseAwaited()
    else if (state.writerState.load() === writerState.noSpace) state.writerState.store(writerState.running)
    this.#prepareNext(tail)
    const takenBytes = this.#publisher.takeTakenBytes()
    if (takenBytes === 0) this.#mapIfQuiet()
    return takenBytes
  }

  /**
   * Makes messages of a topic below `before` unreadable. Past the ring: on a full disk the ring may be stuck behind
   * what does not fit, and trimming is what frees space.
   * @throws the error of the device, also where it has ended appending before
   */
  trim(topic: number, before: number): void {
    const { state, tail } = this.#parts
    if (!this.#mayWrite()) throw ownerLostError(this.#parts.files.logDirectory)
    // Whoever asked may not have heard of it yet.
    if (state.writerState.load() >= writerState.failed) {
      throw failedCall('write', state.writerErrno.load(), 'appending has ended')
    }
    let isDone = false
    try {
      isDone = tail.trim(topic, before) || (this.#makeRoom(0, 0) && tail.trim(topic, before))
    } catch (error) {
      // A device that fails ends appending here as well.
      if (error instanceof SystemCallError && !mayPass(error.errno)) this.#stop(error)
      throw error
    }
    if (!isDone) {
      const message = 'the segment has no room left for a trim, and there is no other yet: free space on its disk'
      throw new BookendError('BOOKEND_NO_SPACE', message)
    }
    this.#publisher.publish()
  }

  /** See {@link IdWindows.learn}. */
  learnIds(topic: number, span: IdSpan, part: IdsPart, ids: Iterable<KnownId>): void {
    this.#ids.learn(topic, span, part, ids)
  }

  /** A new reaper is about to begin: what the dead one has ordered is kept, what it may not have flushed is written again. */
  meetReaper(): void {
    this.#orders.meetReaper()
    if (this.#mayWrite()) this.#parts.commits.writeAgain()
  }

  /**
   * Comes before every write, so that nothing is written into the log of another owner: this thread may have been stopped, for any
   * time, since it wrote last. False from then on.
   */
  #mayWrite(): boolean {
    const { state, lanes, owner } = this.#parts
    if (this.#isLost || owner.isKeptOfLate()) return !this.#isLost
    this.#isLost = true
    // Errno first: whoever sees the state looks for its reason.
    state.writerErrno.store(ownerLostErrno)
    state.writerState.store(writerState.failed)
    lanes.bells.ring()
    return false
  }

  /** Takes one padding, one bulk append or one batch from the ring of a lane. False: it is empty. */
  #step(lane: LaneIntake): boolean {
    const { ring } = lane
    const { memory, head } = ring
    const available = ring.loadTail() - head
    if (available === 0) return false
    const at = head & memory.mask
    const untilEnd = memory.capacity - at
    if (untilEnd < frameHeaderBytes) {
      this.#publisher.release(lane, head + untilEnd)
      return true
    }
    const word = at >>> 2
    const tail = memory.words[word + frameWord.tail]
    switch (kindOf(tail)) {
      case frameKind.padding:
      case frameKind.cancelled:
        this.#publisher.release(lane, head + frameBytes(memory.words[word + frameWord.length]))
        return true
      case frameKind.bulk:
        this.#appendBulk(lane, at)
        return true
      case frameKind.guard:
        this.#guarded.take(lane, at, Math.min(at + available, memory.capacity))
        return true
      default:
        if (hasOwnConditions(tail)) this.#ownConditions.take(lane, at, Math.min(at + available, memory.capacity))
        else this.#appendRun(lane, at, Math.min(at + available, memory.capacity), flagsOf(tail))
        return true
    }
  }

  #appendRun(lane: LaneIntake, from: number, to: number, flags: number): void {
    const { tail } = this.#parts
    const { ring } = lane
    const { memory } = ring
    let taken: number
    if ((flags & frameFlag.continues) === 0) taken = this.#appendLone(memory, from, to)
    else {
      const { words } = memory
      const extent = groupsExtent(words, from, to, groupExtent(words, from, to), this.#fits)
      taken = this.#appendGroup(memory, from, from + extent.bytes, extent) ? extent.bytes : 0
    }
    if (taken === 0) return
    lane.noteTime(tail.time)
    this.#publisher.publish(lane, ring.head + taken)
  }

  /** Of frames that belong to no group, as many as are written at once. @returns their bytes; 0: there is no room yet, nothing was written */
  #appendLone(memory: FrameRun, from: number, to: number): number {
    const taken = this.#parts.tail.append(memory, from, to, this.#publisher.isFlushedSoon)
    if (taken === 0) this.#makeRoom(frameBytes(memory.words[(from >>> 2) + frameWord.length]), 1)
    else this.#keys.note(memory, from, from + taken)
    return taken
  }

  /** So many groups are appended together. */
  readonly #fits = ({ bytes, records, topics }: GroupExtent): boolean =>
    bytes <= maxStagedBytes && this.#parts.tail.takesGroup(bytes, records, topics)

  /** False: there is no room for the group yet, and nothing was written. */
  #appendGroup(run: FrameRun, from: number, to: number, extent = groupExtent(run.words, from, to)): boolean {
    const { tail } = this.#parts
    const { records, topics } = extent
    const append = () => tail.appendGroup(run, from, to, records, this.#publisher.isFlushedSoon, topics)
    if (!append()) {
      if (!this.#makeRoom(to - from, records, topics)) return false
      const isTaken = append()
      assert(isTaken, 'a group that was let into the ring fits an empty segment')
    }
    this.#keys.note(run, from, to)
    return true
  }

  /** Frames that did not fit the ring: they came by transfer, and the ring holds their place. */
  #appendBulk(lane: LaneIntake, place: number): void {
    const run = lane.bulkAt(place)
    if (this.#appendGroup(run, 0, run.bytes.length)) this.#publisher.publish(lane, lane.bulkAppended(place))
  }

  /**
   * Blocks for so much more, in the active segment or in the next one, where the log then goes on. False: they are not there yet;
   * the caller leaves everything as it is.
   */
  #makeRoom(bytes: number, records: number, topics = 1): boolean {
    const { state, tail, files } = this.#parts
    const wanted = tail.blocksFor(bytes, records, topics)
    const nextBase = files.base(tail.segment + 1)
    const isNext = wanted > nextBase
    const bound = Math.max(maxUnflushedBytes, 2 * files.segmentBytes)
    const isTooFarAhead = isNext && nextBase - state.indexed.load() > bound
    if (state.allocated.load() < wanted || isTooFarAhead) {
      this.#isStalled = true
      this.#isWishing = true
      state.blocksWanted.store(wanted)
      state.reaper.ring()
      return false
    }
    if (!isNext) return true
    tail.roll()
    // Else that segment would keep its blocks when it is deleted, until the next lone message.
    this.#parts.loneFlush.close()
    state.activeSegment.store(tail.segment)
    this.#publisher.publish()
    state.reaper.ring()
    return true
  }

  /** False: the reaper is asked to have the log say so, and everything waits for that as for a segment. */
  #mayHold(features: FeatureSet): boolean {
    const { state } = this.#parts
    if ((features & ~state.featuresStated.load()) === 0) return true
    this.#isStalled = true
    state.featuresWanted.store(state.featuresWanted.load() | features)
    state.reaper.ring()
    return false
  }

  /** Maps the next segment when the active one is half full: its first pages are then faulted in before it is needed. */
  #prepareNext(tail: LogTail): void {
    const { files, state } = this.#parts
    const next = tail.segment + 1
    if (this.#nextOpened === next || tail.relative < files.segmentBytes / 2 || state.prepared.load() < next) return
    this.#nextOpened = next
    try {
      tail.openNext()
    } catch {
      // Only ahead of its use: the roll opens it, or says why it cannot be had.
      return
    }
    state.reaper.ringIfAsleep()
  }

  #mapIfQuiet(): void {
    try {
      this.#parts.tail.mapIfQuiet()
    } catch {
      // Ahead of its use as well.
    }
  }

  /**
   * No segment can be had because the disk is full: everything that somebody waits for is refused, in place; what was
   * only offered stays in its ring until there is space.
   */
  #refuseAwaited(): void {
    const { state, lanes, turns, tail } = this.#parts
    const errno = this.#fullErrno || state.refuseErrno.load() || state.allocateErrno.load()
    if (errno === 0) return
    const refused = [...turns].map((lane) => ({ lane, ...lane.refuse((run, at) => tail.learn(run, at)) }))
    // State and errno come before the positions: whoever sees those knows why. What is gone before what is refused in its place.
    state.writerErrno.store(errno)
    state.writerState.store(writerState.noSpace)
    for (const { lane, end, goneTo } of refused) {
      if (goneTo !== lane.ring.head) this.#publisher.release(lane, goneTo)
      lane.words.cancelledTo.store(end)
    }
    lanes.bells.ring()
  }

  /** A write failed. A full disk is waited out; anything else ends appending for good, and says why. */
  #stop(error: unknown): void {
    const { state, lanes } = this.#parts
    const errno = error instanceof SystemCallError ? error.errno : 0
    if (mayPass(errno)) {
      this.#isStalled = true
      this.#fullErrno = errno
      return
    }
    // Errno first: whoever sees the state looks for its reason.
    state.writerErrno.store(errno)
    state.writerState.store(errno === 0 ? writerState.died : writerState.failed)
    lanes.bells.ring()
    // Not a device but a bug: end the thread, with the error for everybody to see.
    if (errno === 0) throw error
  }
}
