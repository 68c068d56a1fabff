/**
 * The writer: takes frames from the rings of all lanes and appends them to the log. The only thread that stores into the tail.
 *
 * `doWork()` does what there is to do and returns how much it was, so that tests can drive it without a thread. It
 * never calls fsync, never creates a file and never waits for a reader.
 */

import { assert, BookendError } from '../../errors.js'
import { mayPass, ownerLostErrno, ownerLostError } from '../../failures.js'
import {
  flagsOf,
  frameBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
} from '../../format/frame-layout.js'
import { allocateRetryMs, maxSleepMs, maxUnflushedBytes, quietMsToMap } from '../../limits.js'
import { failedCall } from '../../memory/errno.js'
import { SystemCallError } from '../../memory/memory.js'
import type { LaneTable } from '../../ring/lane-table.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'
import { type LogTail, movedBytes } from '../../storage/append/log-tail.js'
import type { Owner } from '../../storage/files/ownership.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import type { Order } from '../protocol.js'
import type { BellRinger } from './bell-ringer.js'
import type { CommitWriter } from './commit-writer.js'
import type { LaneIntake } from './lane-intake.js'
import type { LaneTurns } from './lane-turns.js'

/** The reaper is told of progress in steps of this, so that it can take page faults ahead of the writer. */
const progressStepBytes = 1 << 20

export interface WriterParts {
  state: SharedState<'writer'>
  lanes: LaneTable
  turns: LaneTurns
  topics: TopicCells
  tail: LogTail
  files: SegmentFiles
  /** Groups have their turn after every batch. */
  commits: CommitWriter
  owner: Owner
  /** Tells followers in other processes. */
  bell: BellRinger
  /** The reaper's next order; it was sent before the word that announces it. */
  takeOrder(): Order
}

export class Writer {
  readonly #parts: WriterParts
  /** An order that waits for a segment. */
  #order: Order | undefined
  /** Why the last write was refused for lack of space, where the file system says so only when it is written to. */
  #fullErrno = 0
  #nextOpened = -1
  #reportedBytes = 0
  /** From this position on the reaper is asked for blocks. */
  #askAt = 0
  #isWishing = false
  /** Somebody waits for the device with what was published last. */
  #isFlushAwaited = false
  /** Since the last call for work. */
  #takenBytes = 0
  #isStalled = false
  /** The log is not this process's any more. */
  #isLost = false

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /** True if there is something to write that can be written. */
  get hasWork(): boolean {
    const { state, turns, commits } = this.#parts
    if (this.#isLost) return false
    if (commits.hasWork) return true
    return turns.hasWork && !this.#isStalled && state.writerState.load() < writerState.failed
  }

  /** True if frames are waiting that cannot be written for lack of a segment. */
  get isStalled(): boolean {
    return this.#isStalled
  }

  /** True if the appends last published wait for the reaper now: the next will hardly come before it is done. */
  get isFlushAwaited(): boolean {
    return this.#isFlushAwaited
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
    this.#takenBytes = 0
    this.#isStalled = false
    this.#fullErrno = 0
    try {
      this.#obey()
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
    if (this.#takenBytes === 0) this.#mapIfQuiet()
    return this.#takenBytes
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
    this.#publish()
  }

  /**
   * A new reaper is about to begin: an order that the dead one has announced is taken in while the way it came by is still there,
   * and carried out in its turn; one that was not announced was never given.
   */
  meetReaper(): void {
    const { state, takeOrder, commits } = this.#parts
    if (state.ordersDone.load() !== state.ordersGiven.load()) this.#order ??= takeOrder()
    if (this.#mayWrite()) commits.writeAgain()
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
      this.#release(lane, head + untilEnd)
      return true
    }
    const word = at >>> 2
    const tail = memory.words[word + frameWord.tail]
    switch (kindOf(tail)) {
      case frameKind.padding:
      case frameKind.cancelled:
        this.#release(lane, head + frameBytes(memory.words[word + frameWord.length]))
        return true
      case frameKind.bulk:
        this.#appendBulk(lane, at)
        return true
      default:
        this.#appendRun(lane, at, Math.min(at + available, memory.capacity), flagsOf(tail))
        return true
    }
  }

  #appendRun(lane: LaneIntake, from: number, to: number, flags: number): void {
    const { tail } = this.#parts
    const { ring } = lane
    const { memory } = ring
    let taken: number
    if ((flags & frameFlag.continues) === 0) taken = tail.append(memory, from, to, this.#isFlushAwaited)
    else {
      const { bytes } = groupExtent(memory.words, from, to)
      taken = this.#appendGroup(memory, from, from + bytes) ? bytes : 0
      if (taken === 0) return
    }
    if (taken === 0) {
      this.#makeRoom(frameBytes(memory.words[(from >>> 2) + frameWord.length]), 1)
      return
    }
    lane.noteTime(tail.time)
    this.#publish(lane, ring.head + taken)
  }

  /** False: there is no room for the group yet, and nothing was written. */
  #appendGroup(run: FrameRun, from: number, to: number): boolean {
    const { tail } = this.#parts
    const { records } = groupExtent(run.words, from, to)
    if (tail.appendGroup(run, from, to, records, this.#isFlushAwaited)) return true
    if (!this.#makeRoom(to - from, records)) return false
    const isTaken = tail.appendGroup(run, from, to, records, this.#isFlushAwaited)
    assert(isTaken, 'a group that was let into the ring fits an empty segment')
    return true
  }

  /** Frames that did not fit the ring: they came by transfer, and the ring holds their place. */
  #appendBulk(lane: LaneIntake, place: number): void {
    const run = lane.bulkAt(place)
    if (this.#appendGroup(run, 0, run.bytes.length)) this.#publish(lane, lane.bulkAppended(place))
  }

  /**
   * Makes appended records visible. Order: the position, then the topic cells (whoever sees a topic's next offset must find
   * the log reaching as far, or takes the end for damage), then followers, then the head of the lane's ring, which acknowledges and frees,
   * then the bells of threads.
   * @param lane whose frames they were; none for what did not come through a ring
   * @param head ring position behind them
   */
  #publish(lane?: LaneIntake, head = 0): void {
    const { state, tail, topics, bell } = this.#parts
    state.publishedRecords.store(tail.recordCount)
    state.publishedBytes.store(tail.recordBytes)
    state.publishedBatches.store(tail.batchCount)
    state.publishedTime.store(tail.time)
    state.storedBytes.store(tail.storedBytes)
    const wasFlushed = state.durable.load() >= state.published.load()
    const { position } = tail
    state.published.store(position)
    for (const id of tail.takeTouched()) {
      topics.first(id).store(tail.first(id))
      topics.next(id).store(tail.next(id))
    }
    bell.ring()
    // After the position: the reaper takes the head first, and flushes up to the position that it finds then.
    if (lane !== undefined) this.#release(lane, head)
    // From the first byte that is not flushed, the reaper's clock has to run at the flush interval.
    if (wasFlushed || tail.storedBytes - this.#reportedBytes >= progressStepBytes) {
      this.#reportedBytes = tail.storedBytes
      state.reaper.ringIfAsleep()
    }
    if (position >= this.#askAt) this.#askForBlocks(position)
  }

  /** Half of the blocks that were ahead are used up: the reaper decides whether it is time for more. */
  #askForBlocks(position: number): void {
    const { state } = this.#parts
    this.#askAt = position + (state.allocated.load() - position) / 2
    state.reaper.ringIfAsleep()
  }

  /** What is before `head` has left the ring of the lane, published or refused. */
  #release(lane: LaneIntake, head: number): void {
    const { state, lanes } = this.#parts
    this.#takenBytes += head - lane.ring.head
    const isFlushWished = lane.release(head)
    // What is flushed soon goes past the mapping: a page that is written back is write-protected first, and the next store faults.
    this.#isFlushAwaited = isFlushWished
    if (isFlushWished) state.reaper.ringIfAsleep()
    // Who waits for messages waits for those of every lane; of its own it is rung for already.
    if (lanes.following.hasOther(lane.number)) this.#ringFollowing(lane.number)
  }

  #ringFollowing(besides: number): void {
    const { lanes, turns } = this.#parts
    for (const { number, words } of turns)
      if (number !== besides && lanes.following.has(number)) words.bell.ringIfAsleep()
  }

  /**
   * Blocks for so much more, in the active segment or in the next one, where the log then goes on. False: they are not there yet;
   * the caller leaves everything as it is.
   */
  #makeRoom(bytes: number, records: number): boolean {
    const { state, tail, files } = this.#parts
    const wanted = tail.blocksFor(bytes, records)
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
    state.activeSegment.store(tail.segment)
    this.#publish()
    state.reaper.ring()
    return true
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

  /** What the reaper wants written before it deletes segments. Without a segment to write to, the order waits. */
  #obey(): void {
    const { state, takeOrder } = this.#parts
    const given = state.ordersGiven.load()
    if (state.ordersDone.load() === given) return
    this.#order ??= takeOrder()
    const isDone = this.#order.kind === 'move' ? this.#move(this.#order) : this.#forget(this.#order)
    if (isDone === undefined) return
    this.#order = undefined
    this.#publish()
    // The words come after the position: the reaper flushes up to what is published, then deletes.
    state.orderResult.store(isDone ? 1 : 0)
    state.ordersDone.store(given)
    state.reaper.ring()
  }

  /** Segments are about to be deleted: their messages cannot be read any more, their topics are declared elsewhere. */
  #forget({ below, firsts }: Extract<Order, { kind: 'forget' }>): true | undefined {
    const { tail } = this.#parts
    for (const [topic, first] of firsts) tail.forget(topic, first)
    while (!tail.redeclareBelow(below)) if (!this.#makeRoom(0, 0)) return undefined
    return true
  }

  /** False: the topic has changed since it was read. */
  #move({ moved }: Extract<Order, { kind: 'move' }>): boolean | undefined {
    const { tail } = this.#parts
    const bytes = movedBytes(moved)
    let outcome = tail.moveForward(moved)
    if (outcome === 'full' && this.#makeRoom(bytes, moved.end - moved.first)) outcome = tail.moveForward(moved)
    return outcome === 'full' ? undefined : outcome === 'moved'
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
      if (goneTo !== lane.ring.head) this.#release(lane, goneTo)
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

/** Bytes and records of the atomic group (or single frame) that starts at `from`. */
function groupExtent(words: Uint32Array, from: number, to: number): { bytes: number; records: number } {
  let at = from
  let records = 0
  while (at < to) {
    const word = at >>> 2
    const tail = words[word + frameWord.tail]
    at += frameBytes(words[word + frameWord.length])
    if (kindOf(tail) === frameKind.data) records += 1
    if ((flagsOf(tail) & frameFlag.continues) === 0) break
  }
  return { bytes: at - from, records }
}
