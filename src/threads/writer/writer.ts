/**
 * The writer: takes frames from the append ring and appends them to the log. The only thread that stores into the tail.
 *
 * `doWork()` does what there is to do and returns how much it was, so that tests can drive it without a thread. It
 * never calls fsync, never creates a file and never waits for a reader.
 */

import { assert, BookendError } from '../../errors.js'
import { mayPass, ownerLostErrno, ownerLostError } from '../../failures.js'
import {
  bulkPayloadBytes,
  flagsOf,
  frameBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  tailWord,
} from '../../format/frame-layout.js'
import { allocateRetryMs, maxSleepMs, maxUnflushedBytes, quietMsToMap } from '../../limits.js'
import { failedCall } from '../../memory/errno.js'
import { SystemCallError } from '../../memory/memory.js'
import type { RingConsumer } from '../../ring/append-ring.js'
import type { BatchTimes } from '../../ring/batch-times.js'
import type { LaneWords } from '../../ring/lane-words.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'
import { type LogTail, movedBytes } from '../../storage/append/log-tail.js'
import type { Owner } from '../../storage/files/ownership.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import type { Order } from '../protocol.js'
import type { BellRinger } from './bell-ringer.js'
import type { CommitWriter } from './commit-writer.js'

/** The reaper is told of progress in steps of this, so that it can take page faults ahead of the writer. */
const progressStepBytes = 1 << 20

export interface WriterParts {
  state: SharedState<'writer'>
  lane: LaneWords<'writer'>
  ring: RingConsumer
  topics: TopicCells
  times: BatchTimes
  tail: LogTail
  files: SegmentFiles
  /** Groups have their turn after every batch. */
  commits: CommitWriter
  owner: Owner
  /** Tells followers in other processes. */
  bell: BellRinger
  /** The frames of a bulk append that the ring announces under this number; they were sent before the announcement. */
  takeBulk(id: number): Uint8Array
  /** The reaper's next order; it was sent before the word that announces it. */
  takeOrder(): Order
}

export class Writer {
  readonly #parts: WriterParts
  /** A bulk append that arrived and waits for a segment. */
  #bulk: { id: number; run: FrameRun } | undefined
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
  #isStalled = false
  /** The log is not this process's any more. */
  #isLost = false

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /** True if there is something to write that can be written. */
  get hasWork(): boolean {
    const { ring, state, commits } = this.#parts
    if (this.#isLost) return false
    if (commits.hasWork) return true
    return ring.loadTail() !== ring.head && !this.#isStalled && state.writerState.load() < writerState.failed
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

  /** Appends what the ring holds. Returns the bytes taken from it; 0: nothing to do, or stalled. */
  doWork(): number {
    const { ring, state, tail, commits, bell } = this.#parts
    if (!this.#mayWrite()) return 0
    if (bell.isCalled) bell.ring()
    commits.doWork()
    if (state.writerState.load() >= writerState.failed) return 0
    const start = ring.head
    this.#isStalled = false
    this.#fullErrno = 0
    try {
      this.#obey()
      // Above the watermark nothing is appended; what frees space goes on.
      if (state.refuseErrno.load() !== 0) this.#isStalled = true
      while (!this.#isStalled && this.#mayWrite() && this.#step(ring.loadTail())) {
        // Every step publishes what it appended.
        commits.doWork()
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
    if (ring.head === start) this.#mapIfQuiet()
    return ring.head - start
  }

  /**
   * Makes messages of a topic below `before` unreadable. Past the ring: on a full disk the ring may be stuck behind
   * what does not fit, and trimming is what frees space.
   * @throws the error of the device, also where it has ended appending before
   */
  trim(topic: number, before: number): void {
    const { state, tail, ring } = this.#parts
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
    this.#publish(ring.head)
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
    const { state, lane, owner } = this.#parts
    if (this.#isLost || owner.isKeptOfLate()) return !this.#isLost
    this.#isLost = true
    // Errno first: whoever sees the state looks for its reason.
    state.writerErrno.store(ownerLostErrno)
    state.writerState.store(writerState.failed)
    lane.bell.ring()
    return false
  }

  /** Takes one padding, one bulk append or one batch from the ring. False: the ring is empty. */
  #step(ringTail: number): boolean {
    const { ring } = this.#parts
    const { memory, head } = ring
    const available = ringTail - head
    if (available === 0) return false
    const at = head & memory.mask
    const untilEnd = memory.capacity - at
    if (untilEnd < frameHeaderBytes) {
      this.#release(head + untilEnd)
      return true
    }
    const word = at >>> 2
    const tail = memory.words[word + frameWord.tail]
    switch (kindOf(tail)) {
      case frameKind.padding:
      case frameKind.cancelled:
        this.#release(head + frameBytes(memory.words[word + frameWord.length]))
        return true
      case frameKind.bulk:
        this.#appendBulk(at)
        return true
      default:
        this.#appendRun(at, Math.min(at + available, memory.capacity), flagsOf(tail))
        return true
    }
  }

  #appendRun(from: number, to: number, flags: number): void {
    const { ring, tail } = this.#parts
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
    this.#parts.times.note(ring.head, tail.time)
    this.#publish(ring.head + taken)
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
  #appendBulk(place: number): void {
    const { ring, takeBulk } = this.#parts
    const { memory } = ring
    const word = place >>> 2
    const id = memory.words[(place + frameHeaderBytes) >>> 2]
    if (this.#bulk?.id !== id) {
      const bytes = takeBulk(id)
      this.#bulk = { id, run: { bytes, words: new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2) } }
    }
    const { run } = this.#bulk
    if (!this.#appendGroup(run, 0, run.bytes.length)) return
    // The dispatcher reads the first offset where it looks for every other: in the ring.
    memory.words[word + frameWord.offsetLow] = run.words[frameWord.offsetLow]
    const tailOfFirst = run.words[frameWord.tail]
    memory.words[word + frameWord.tail] = tailWord(
      tailOfFirst & 0xffff,
      frameKind.bulk,
      flagsOf(memory.words[word + frameWord.tail]),
    )
    this.#bulk = undefined
    this.#publish(ring.head + frameBytes(bulkPayloadBytes))
  }

  /**
   * Makes appended records visible. Order: the position, then the topic cells (whoever sees a topic's next offset must find
   * the log reaching as far, or takes the end for damage), then followers, then the ring head, which acknowledges and frees, then the
   * dispatcher's bell.
   */
  #publish(head: number): void {
    const { ring, state, tail, topics, bell } = this.#parts
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
    if (head !== ring.head) this.#release(head)
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

  /** What is before `head` has left the ring, published or refused: whoever waits for that, or for its flush, is woken. */
  #release(head: number): void {
    const { ring, state, lane } = this.#parts
    const before = ring.head
    ring.releaseTo(head)
    // Behind the head: the wish was there before the frames. See flush-way.ts.
    const isFlushWished = lane.flushWished.load() > before
    // What is flushed soon goes past the mapping: a page that is written back is write-protected first, and the next store faults.
    this.#isFlushAwaited = isFlushWished
    // Somebody who only waits for room is not woken for every batch.
    if (head >= lane.wakeHead.load()) lane.bell.ringIfAsleep()
    if (isFlushWished) state.reaper.ringIfAsleep()
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
    this.#publish(this.#parts.ring.head)
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
    this.#publish(this.#parts.ring.head)
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
   * only offered stays in the ring until there is space. What stands in front of that and waits for nothing leaves the ring: behind
   * refused appends and the declarations of their topics alone, nobody has to wait for space.
   */
  #refuseAwaited(): void {
    const { ring, state, lane, tail: log } = this.#parts
    const errno = this.#fullErrno || state.refuseErrno.load() || state.allocateErrno.load()
    if (errno === 0) return
    const { memory } = ring
    const end = ring.loadTail()
    let goneTo = ring.head
    let isFirstWaiting = false
    memory.visitFrames(ring.head, end, (at, position) => {
      const word = at >>> 2
      const tail = memory.words[word + frameWord.tail]
      const kind = kindOf(tail)
      if (kind !== frameKind.padding && kind !== frameKind.cancelled) {
        const isAwaited = (flagsOf(tail) & frameFlag.awaited) !== 0
        // Its first record declares the topic as well.
        const isNeedless = kind === frameKind.declare && !isFirstWaiting
        isFirstWaiting ||= !isAwaited && !isNeedless
        if (!isAwaited && !isNeedless) return
        if (kind === frameKind.declare) log.learn(memory, at)
        if (kind === frameKind.bulk) this.#forgetBulk(memory.words[(at + frameHeaderBytes) >>> 2])
        memory.words[word + frameWord.tail] = tailWord(0, frameKind.cancelled, flagsOf(tail))
      }
      if (!isFirstWaiting) goneTo = position + frameBytes(memory.words[word + frameWord.length])
    })
    // State and errno come before the positions: whoever sees those knows why. What is gone before what is refused in its place.
    state.writerErrno.store(errno)
    state.writerState.store(writerState.noSpace)
    if (goneTo !== ring.head) this.#release(goneTo)
    lane.cancelledTo.store(end)
    lane.bell.ring()
  }

  #forgetBulk(id: number): void {
    if (this.#bulk?.id === id) this.#bulk = undefined
    else this.#parts.takeBulk(id)
  }

  /** A write failed. A full disk is waited out; anything else ends appending for good, and says why. */
  #stop(error: unknown): void {
    const { state, lane } = this.#parts
    const errno = error instanceof SystemCallError ? error.errno : 0
    if (mayPass(errno)) {
      this.#isStalled = true
      this.#fullErrno = errno
      return
    }
    // Errno first: whoever sees the state looks for its reason.
    state.writerErrno.store(errno)
    state.writerState.store(errno === 0 ? writerState.died : writerState.failed)
    lane.bell.ring()
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
