/**
 * Which lane the writer serves next: those that have something, in turn, one step each, so that nobody waits for more than one write of
 * every other. A lane whose thread has ended leaves when everything that it had handed over is taken.
 */
import { assert } from '../../errors.js'
import { OwnLaneBits } from '../../ring/lane-bits.js'
import { type LaneTable, maxLanes, ownerLane } from '../../ring/lane-table.js'
import type { LaneIntake } from './lane-intake.js'

export class LaneTurns {
  readonly #table: LaneTable
  readonly #intakes: (LaneIntake | undefined)[] = []
  /** Taken out of the table's set of dirty lanes, and not found empty since. */
  readonly #busy = new OwnLaneBits(maxLanes)
  #last = ownerLane

  constructor(table: LaneTable, owner: LaneIntake) {
    this.#table = table
    this.attach(owner)
  }

  /** From now on this lane has its turns. */
  attach(intake: LaneIntake): void {
    assert(this.#intakes[intake.number] === undefined, 'a lane is given away again when its last thread is done with')
    this.#intakes[intake.number] = intake
    this.#busy.add(intake.number)
  }

  /** There may be something to take that was not there when {@link next} found nothing. */
  get hasNews(): boolean {
    return !this.#table.dirty.isEmpty
  }

  /** Whose turn it is: the caller takes something of it, or tells that it found nothing. */
  next(): LaneIntake | undefined {
    // Before the look at any tail: see lane-table.ts.
    this.#table.dirty.moveInto(this.#busy)
    for (;;) {
      const lane = this.#busy.nextAfter(this.#last)
      if (lane < 0) return undefined
      this.#last = lane
      const intake = this.#intakes[lane]
      if (intake !== undefined) return intake
      this.#busy.remove(lane)
    }
  }

  /** The caller has found the lane empty. */
  found(intake: LaneIntake): void {
    const { number } = intake
    const isEnding = this.#table.isEnding(number)
    // The look at the ring comes behind the one at the stage: who has ended hands nothing over any more.
    if (isEnding && !intake.isEmpty) return
    this.#busy.remove(number)
    if (!isEnding) return
    intake.close()
    this.#intakes[number] = undefined
    // Last: from here on the lane may be given away.
    this.#table.free(number)
  }

  /** All that have a thread, or had one whose frames are not taken yet. */
  *[Symbol.iterator](): IterableIterator<LaneIntake> {
    for (const intake of this.#intakes) if (intake !== undefined) yield intake
  }
}
