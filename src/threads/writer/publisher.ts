/** Making visible what was appended, and waking whoever waits for it: readers, followers, the reaper, the thread of the lane. */
import type { LaneTable } from '../../ring/lane-table.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import type { RowWriter } from '../../storage/rows/rows.js'
import type { BellRinger } from './bell-ringer.js'
import type { LaneIntake } from './lane-intake.js'
import type { LaneTurns } from './lane-turns.js'
import type { LoneFlush } from './lone-flush.js'

/** The reaper is told of progress in steps of this, so that it can take page faults ahead of the writer. */
const progressStepBytes = 1 << 20

export interface PublisherParts {
  state: SharedState<'writer'>
  lanes: LaneTable
  turns: LaneTurns
  topics: TopicCells
  tail: LogTail
  /** Those that the tail puts. */
  rows: RowWriter
  /** Tells followers in other processes. */
  bell: BellRinger
  loneFlush: Pick<LoneFlush, 'flush' | 'close'>
}

export class Publisher {
  readonly #parts: PublisherParts
  #reportedBytes = 0
  /** From this position on the reaper is asked for blocks. */
  #askAt = 0
  #isFlushedSoon = false
  #isFlushAwaited = false
  #takenBytes = 0

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  /**
   * Somebody wanted what was published last on the device, and so it will be with the next. That goes past the mapping: a page that is written back is
   * write-protected first, and the next store faults.
   */
  get isFlushedSoon(): boolean {
    return this.#isFlushedSoon
  }

  /** Somebody waits for the reaper with what was published last: the next will hardly come before that is done. */
  get isFlushAwaited(): boolean {
    return this.#isFlushAwaited
  }

  /** Bytes of rings that were released since the last call. */
  takeTakenBytes(): number {
    const taken = this.#takenBytes
    this.#takenBytes = 0
    return taken
  }

  /**
   * Makes appended records visible. Order: the position, then the topic cells (whoever sees a topic's next offset must find
   * the log reaching as far, or takes the end for damage), then followers, then the head of the lane's ring, which acknowledges and frees,
   * then the bells of threads.
   * @param lane whose frames they were; none for what did not come through a ring
   * @param head ring position behind them
   */
  publish(lane?: LaneIntake, head = 0): void {
    const { state, turns, tail, topics, rows, bell } = this.#parts
    const { position, counts } = tail
    state.publishedRecords.store(counts.recordCount)
    state.publishedBytes.store(counts.recordBytes)
    state.publishedBatches.store(counts.batchCount)
    state.publishedTime.store(tail.time)
    state.storedBytes.store(counts.storedBytes)
    const before = state.published.load()
    const wasFlushed = state.durable.load() >= before
    /** Nothing else is under way: before it all was durable, behind it nothing has been handed over. */
    const isLone = wasFlushed && lane !== undefined && !turns.hasNews && head === lane.ring.loadTail()
    state.published.store(position)
    const touched = tail.takeTouched()
    if (touched.length > 1) topics.storeTogether(() => this.#storeCells(touched))
    else this.#storeCells(touched)
    // Behind the position as well: what is not published may be taken back.
    rows.publish()
    bell.ring()
    // After the position: the reaper takes the head first, and flushes up to the position that it finds then.
    if (lane !== undefined) this.release(lane, head, isLone ? before : undefined)
    // From the first byte that is not flushed, the reaper's clock has to run at the flush interval.
    if (
      (wasFlushed && state.durable.load() < position) ||
      counts.storedBytes - this.#reportedBytes >= progressStepBytes
    ) {
      this.#reportedBytes = counts.storedBytes
      state.reaper.ringIfAsleep()
    }
    if (position >= this.#askAt) this.#askForBlocks(position)
  }

  #storeCells(touched: readonly number[]): void {
    const { tail, topics } = this.#parts
    for (const id of touched) {
      topics.first(id).store(tail.first(id))
      topics.next(id).store(tail.next(id))
    }
  }

  /**
   * What is before `head` has left the ring of the lane, published or refused.
   * @param loneFrom nothing else is under way: all of the log before it is durable, what is behind it is what leaves
   */
  release(lane: LaneIntake, head: number, loneFrom?: number): void {
    const { state, lanes, loneFlush } = this.#parts
    this.#takenBytes += head - lane.ring.head
    this.#isFlushedSoon = lane.release(head)
    this.#isFlushAwaited = this.#isFlushedSoon
    // Who waits for messages waits for those of every lane; of its own it is rung for already.
    if (lanes.following.hasOther(lane.number)) this.#ringFollowing(lane.number)
    if (!this.#isFlushedSoon) return
    if (loneFrom !== undefined && loneFlush.flush(loneFrom)) this.#isFlushAwaited = false
    else state.reaper.ringIfAsleep()
  }

  /** Half of the blocks that were ahead are used up: the reaper decides whether it is time for more. */
  #askForBlocks(position: number): void {
    const { state } = this.#parts
    this.#askAt = position + (state.allocated.load() - position) / 2
    state.reaper.ringIfAsleep()
  }

  #ringFollowing(besides: number): void {
    const { lanes, turns } = this.#parts
    for (const { number, words } of turns)
      if (number !== besides && lanes.following.has(number)) words.bell.ringIfAsleep()
  }
}
