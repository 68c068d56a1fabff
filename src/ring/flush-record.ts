/**
 * What a flush is about to make durable, and its answer, whichever thread flushes: see flush-way.ts. The words are stored into by whose turn it is
 * (turn-word.ts).
 */
import { FlushWay } from './flush-way.js'
import type { LaneTable } from './lane-table.js'
import type { SharedState } from './shared-state.js'

/** What a flush is about to make durable, and will answer. */
export interface Cut {
  /** How far each lane is published. */
  readonly heads: readonly number[]
  /** Where the log ended after that was taken: behind all of it. */
  readonly position: number
}

export class FlushRecord {
  readonly #state: SharedState<'flusher'>
  readonly #lanes: LaneTable
  /** Of every lane that has been used. */
  readonly #knownWays: FlushWay[] = []

  constructor(state: SharedState<'flusher'>, lanes: LaneTable) {
    this.#state = state
    this.#lanes = lanes
  }

  /** Somebody waits for what only has to be flushed. */
  get isAwaited(): boolean {
    for (const way of this.#ways) if (way.isAwaited) return true
    return false
  }

  cut(): Cut {
    // The heads first: the writer publishes the position before a head that relies on it.
    const heads = this.#ways.map((way) => way.published())
    return { heads, position: this.#state.published.load() }
  }

  /** In the turn in which it was flushed: all of the cut is on the device. Those who wait are rung. */
  answer({ heads, position }: Cut): void {
    const { durable } = this.#state
    if (position > durable.load()) {
      durable.takeOver()
      durable.store(position)
    }
    for (let lane = 0; lane < heads.length; lane++) this.#knownWays[lane].answer(heads[lane])
    this.#lanes.bells.ringIfAsleep()
  }

  /** The same: what the flush took. Behind the answer. */
  count(micros: number): void {
    const { flushCount, flushMicros, lastFlushMicros } = this.#state
    for (const cell of [flushCount, flushMicros, lastFlushMicros]) cell.takeOver()
    flushCount.store(flushCount.load() + 1)
    flushMicros.store(flushMicros.load() + micros)
    lastFlushMicros.store(micros)
  }

  get #ways(): readonly FlushWay[] {
    const lanes = this.#lanes
    for (let lane = this.#knownWays.length, { count } = lanes; lane < count; lane++) {
      const { ringHead, flushWished, flushedTo } = lanes.open(lane, 'flusher')
      this.#knownWays.push(new FlushWay(ringHead, flushWished, flushedTo))
    }
    return this.#knownWays
  }
}
