/**
 * The words that the threads of one open log share, each on lines of its own, each with one writing thread.
 *
 * | word | written by | says |
 * | --- | --- | --- |
 * | ringTail | dispatcher | ring bytes handed over |
 * | ringHead | writer | ring bytes taken: their frames are published (or cancelled) and their space is free |
 * | cancelledTo | writer | awaited frames between ringHead and here were refused for lack of space |
 * | writerTask, reaperTask | writer, reaper | the kernel's number for the thread, 0 before it has started: see memory/thread-task.ts |
 * | writerState, writerErrno | writer | running, waiting for space, or failed for ever |
 * | published | writer | log position up to which everything may be read |
 * | published counts | writer | records, value bytes, batches, and ms of the last batch |
 * | storedBytes | writer | bytes of batches that went through the mapping, not past it |
 * | activeSegment | writer | index of the segment that is being filled |
 * | ordersDone, orderResult | writer | orders of the reaper that are carried out; 1: the last one was, 0: it could not be |
 * | durable, indexed, trim | reaper | flushed up to; segments below have a footer; files below are deleted |
 * | prepared | reaper | segments up to this index exist, whole and durable, ready to be mapped |
 * | allocated | reaper | log position up to which there are blocks: behind it nothing may be stored |
 * | blocksWanted | writer | it waits for blocks up to this position; 0: it does not |
 * | allocateErrno, reaperErrno | reaper | why the next segment cannot be had; why the log turned read-only |
 * | ordersGiven | reaper | orders sent to the writer: declare anew before a deletion, move records forward |
 * | refuseErrno | reaper | appends are refused with this error, although there may be a segment |
 * | keptReason, keptTopic | reaper | why the oldest segment is kept (a subscript of `keptReasons`), and for which topic |
 * | flushed | reaper | the last flush request that is done; plus counters |
 * | flushRequest | dispatcher | a number raised by every demand for a flush |
 * | flushWantedTo | dispatcher | somebody waits for the device with frames before this ring position |
 * | flushAskedTo | writer | the same, as far as it is published: the reaper is asked to flush that |
 * | flushedTo | reaper | frames before this ring position are on the device |
 * | commitRequest | dispatcher | commits of groups handed over (modulo 2^32): see group-mailboxes.ts |
 * | commitDone | writer | commits up to here are written, or refused |
 * | commitWanted | dispatcher | commits up to here are to be flushed |
 * | commitFlushed | reaper | commits up to here are on the device |
 * | followerCalls | reaper | 0: nobody in another process follows the log; else another number whenever somebody has come, or files went |
 * | looksWanted | readers of a follower | added to: the log may have gone on, it is to be looked |
 * | wakeHead | dispatcher | the writer rings the dispatcher's bell once the ring head has reached this |
 * | control | dispatcher | a control call waits at the writer's port |
 *
 * | closing | dispatcher | readers close their windows and count themselves in `closedReaders` |
 *
 * The bells are the exception: anybody adds to them, and their owner sleeps on them (`retireBell`: all readers). A sleeper arms its flag
 * and *then* looks for work once more; whoever makes work stores it and *then* looks at the flag. Either sees the other.
 */
import type { KeptReason } from '../engine/terms.js'
import { PositionCell } from './position-cell.js'

const lineWords = 32 // 128 bytes: two cache lines, since processors prefetch in pairs

const names = [
  'writerTask',
  'reaperTask',
  'writerState',
  'writerErrno',
  'activeSegment',
  'ordersDone',
  'orderResult',
  'prepared',
  'allocateErrno',
  'reaperErrno',
  'ordersGiven',
  'refuseErrno',
  'keptReason',
  'keptTopic',
  'flushed',
  'flushRequest',
  'commitRequest',
  'commitDone',
  'commitWanted',
  'commitFlushed',
  'followerCalls',
  'looksWanted',
  'control',
  'closing',
  'closedReaders',
  'writerBell',
  'writerAsleep',
  'dispatcherBell',
  'dispatcherAsleep',
  'reaperBell',
  'reaperAsleep',
  'retireBell',
  'retireAsleep',
] as const
const cells = [
  'ringTail',
  'ringHead',
  'cancelledTo',
  'wakeHead',
  'published',
  'publishedRecords',
  'publishedBytes',
  'publishedBatches',
  'publishedTime',
  'storedBytes',
  'allocated',
  'blocksWanted',
  'flushWantedTo',
  'flushAskedTo',
  'flushedTo',
  'durable',
  'indexed',
  'trim',
  'retiredCount',
  'deletedCount',
  'movedBytes',
  'flushCount',
  'flushMicros',
  'lastFlushMicros',
  'prefaultedBytes',
] as const

type WordName = (typeof names)[number]
type CellName = (typeof cells)[number]

/** Why a segment is not deleted: see `SegmentInfo`. */
export const keptReasons = [
  'active',
  'prepared',
  'unflushed',
  'needed',
  'pinned',
  'order',
  'damaged',
  'deleting',
  'device',
] as const satisfies readonly KeptReason[]

/** `died`: a bug, not a device; the thread has ended or is about to. */
export const writerState = { running: 0, noSpace: 1, failed: 2, died: 3 } as const

/** One shared 32-bit word. */
export class Word {
  readonly #words: Int32Array
  readonly #index: number

  constructor(words: Int32Array, index: number) {
    this.#words = words
    this.#index = index
  }

  load(): number {
    return Atomics.load(this.#words, this.#index)
  }

  store(value: number): void {
    Atomics.store(this.#words, this.#index, value)
  }

  add(value: number): number {
    return Atomics.add(this.#words, this.#index, value)
  }
}

/** A place to sleep until somebody rings. */
export class Bell {
  readonly #words: Int32Array
  readonly #bell: number
  readonly #asleep: number
  #ceiling: NodeJS.Timeout | undefined
  #ceilingMs = 0

  constructor(words: Int32Array, bell: number, asleep: number) {
    this.#words = words
    this.#bell = bell
    this.#asleep = asleep
  }

  /** For whoever made work: call it after the store that made it. Costs one load while the owner is awake. */
  ringIfAsleep(): void {
    if (Atomics.load(this.#words, this.#asleep) === 0) return
    this.ring()
  }

  /** Changes whenever the bell is rung. */
  token(): number {
    return Atomics.load(this.#words, this.#bell)
  }

  ring(): void {
    Atomics.add(this.#words, this.#bell, 1)
    Atomics.notify(this.#words, this.#bell)
  }

  /**
   * For the owner: announces sleep and returns a token. Look for work once more after this, then {@link wait} or
   * {@link waitAsync} with the token, or {@link disarm}.
   */
  arm(): number {
    const token = this.token()
    Atomics.store(this.#words, this.#asleep, 1)
    return token
  }

  disarm(): void {
    Atomics.store(this.#words, this.#asleep, 0)
    clearTimeout(this.#ceiling)
    this.#ceiling = undefined
  }

  /** Blocks the calling worker. Returns when rung since {@link arm}, or after the ceiling. */
  wait(token: number, ceilingMs: number): void {
    Atomics.wait(this.#words, this.#bell, token, ceilingMs)
    Atomics.store(this.#words, this.#asleep, 0)
  }

  /**
   * Like {@link wait}, for a thread with an event loop, which this does not keep alive.
   *
   * The ceiling is one timer of Node's, put off by every call, and not the timeout of `Atomics.waitAsync`. Of those V8 gives each one
   * a timer that stays until it expires, however early the wait ends, and Node finds an expired one by looking through them all: after a second
   * of 50,000 waits the event loop stood still for the better part of the next one.
   */
  waitAsync(token: number, ceilingMs: number): Promise<unknown> | undefined {
    const result = Atomics.waitAsync(this.#words, this.#bell, token)
    if (!result.async) return undefined
    if (this.#ceiling !== undefined && this.#ceilingMs === ceilingMs) this.#ceiling.refresh()
    else {
      clearTimeout(this.#ceiling)
      this.#ceilingMs = ceilingMs
      // Without a change of the bell: nobody has rung, and everybody who waits looks again.
      this.#ceiling = setTimeout(() => Atomics.notify(this.#words, this.#bell), ceilingMs).unref()
    }
    return result.value.then(() => Atomics.store(this.#words, this.#asleep, 0))
  }
}

export type SharedState = Record<WordName, Word> &
  Record<CellName, PositionCell> & {
    readonly writer: Bell
    readonly dispatcher: Bell
    readonly reaper: Bell
    readonly retirements: Bell
  }

export function allocateSharedState(): SharedArrayBuffer {
  return new SharedArrayBuffer((names.length + cells.length) * lineWords * Int32Array.BYTES_PER_ELEMENT)
}

/** The calling thread's accessors over the shared words. */
export function openSharedState(shared: SharedArrayBuffer): SharedState {
  const words = new Int32Array(shared)
  const at = (name: WordName | CellName) =>
    lineWords * (names as readonly string[]).concat(cells as readonly string[]).indexOf(name)
  const bell = (name: WordName, asleep: WordName) => new Bell(words, at(name), at(asleep))
  const state: Record<string, unknown> = {
    writer: bell('writerBell', 'writerAsleep'),
    dispatcher: bell('dispatcherBell', 'dispatcherAsleep'),
    reaper: bell('reaperBell', 'reaperAsleep'),
    retirements: bell('retireBell', 'retireAsleep'),
  }
  for (const name of names) state[name] = new Word(words, at(name))
  for (const name of cells) state[name] = new PositionCell(words, at(name))
  return state as SharedState
}
