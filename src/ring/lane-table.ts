/**
 * The lanes of a log: each is one thread that appends, with a row of words (lane-words.ts) and a ring of its own (append-ring.ts).
 * Lane 0 is the thread that opened the log, which also gives the others away.
 *
 * ```
 *   free ---> open ---> ending ---> free
 *    claim: owner  end: owner   free: writer, when everything that was handed over has been taken
 * ```
 *
 * A thread may end between any two instructions. What it has handed over, up to its tail, is whole and will be written; what is behind that is
 * nobody's. Nothing in a row is reset when the lane is given to another thread: positions go on where the last one ended, so an answer
 * that is late is about frames before them.
 *
 * Who hands something over stores its tail, *then* adds its lane to `dirty`, then rings the writer. The writer takes lanes out of `dirty` *before* it
 * looks at their tails. So a tail that it does not see is announced again.
 */
import type { Rope } from './bell.js'
import { LaneBits } from './lane-bits.js'
import { type LaneWords, laneBytes, openLaneAt } from './lane-words.js'
import { openWords, type Role, tableBytes, type WordsOf, word } from './word-table.js'

/** With that of the thread that opened the log. */
export const maxLanes = 64
export const ownerLane = 0

const stages = { free: 0, open: 1, ending: 2 } as const

const header = {
  /** Lanes below this have been used. */
  count: word('application'),
}

const lineWords = 32
/** Words of the sets and stages, on lines of their own behind the header. */
const setsAt = tableBytes(header) / Int32Array.BYTES_PER_ELEMENT
const stagesAt = setsAt + 2 * lineWords
const rowsAt = (stagesAt + maxLanes) * Int32Array.BYTES_PER_ELEMENT

export class LaneTable {
  /** Lanes with something that the writer has not looked at. */
  readonly dirty: LaneBits
  /** Lanes in which somebody waits for messages, of whatever lane. */
  readonly following: LaneBits
  /** Of all threads that append. */
  readonly bells: Rope
  readonly #shared: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #header: WordsOf<typeof header, 'application'>
  readonly #lanes: LaneWords[] = []

  static allocate(): SharedArrayBuffer {
    const shared = new SharedArrayBuffer(rowsAt + maxLanes * laneBytes)
    const table = new LaneTable(shared)
    table.#header.count.store(1)
    Atomics.store(table.#words, stagesAt + ownerLane, stages.open)
    return shared
  }

  constructor(shared: SharedArrayBuffer) {
    this.#shared = shared
    this.#words = new Int32Array(shared)
    this.#header = openWords(header, shared)
    this.dirty = new LaneBits(this.#words, setsAt, maxLanes)
    this.following = new LaneBits(this.#words, setsAt + lineWords, maxLanes)
    this.bells = {
      ring: () => this.#each(({ bell }) => bell.ring()),
      ringIfAsleep: () => this.#each(({ bell }) => bell.ringIfAsleep()),
    }
  }

  /** Lanes below this have been used. */
  get count(): number {
    return this.#header.count.load()
  }

  /** The words of a lane. @param roles what the calling thread is to it */
  open<R extends Role = never>(lane: number, ...roles: R[]): LaneWords<R> {
    return openLaneAt(this.#shared, rowsAt, lane, ...roles)
  }

  /** The owner: a lane for another thread; undefined: all are in use, or not drained yet. */
  claim(): number | undefined {
    for (let lane = ownerLane + 1; lane < maxLanes; lane++) {
      if (!this.#move(lane, stages.free, stages.open)) continue
      // The last user may have ended in the middle of it.
      this.following.remove(lane)
      // Behind the stage: whoever looks at all lanes below the count finds it.
      this.#header.count.store(Math.max(this.count, lane + 1))
      return lane
    }
    return undefined
  }

  /** The owner: the lane's thread hands nothing over any more. The writer has to be rung. */
  end(lane: number): void {
    if (this.#move(lane, stages.open, stages.ending)) this.dirty.add(lane)
  }

  isEnding(lane: number): boolean {
    return Atomics.load(this.#words, stagesAt + lane) === stages.ending
  }

  isOpen(lane: number): boolean {
    return Atomics.load(this.#words, stagesAt + lane) === stages.open
  }

  /** The writer: nothing of the lane is left, and its thread has ended. */
  free(lane: number): void {
    this.#move(lane, stages.ending, stages.free)
  }

  /** How much each lane has handed over so far. */
  tails(): number[] {
    const tails: number[] = []
    this.#each(({ ringTail }) => tails.push(ringTail.load()))
    return tails
  }

  /** All of that has been taken. */
  areTaken(tails: readonly number[]): boolean {
    return tails.every((tail, lane) => this.#lane(lane).ringHead.load() >= tail)
  }

  #lane(lane: number): LaneWords {
    this.#lanes[lane] ??= this.open(lane)
    return this.#lanes[lane]
  }

  #each(use: (words: LaneWords) => void): void {
    const { count } = this
    for (let lane = 0; lane < count; lane++) use(this.#lane(lane))
  }

  #move(lane: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, stagesAt + lane, from, to) === from
  }
}
