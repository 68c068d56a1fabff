/**
 * What this process knows to be acknowledged in a group. A server that takes over from one that died may give away again what was
 * acknowledged; whoever remembers acknowledges it once more, and nobody sees it.
 */
import { OffsetRanges } from '../../collections/offset-ranges.js'

/** More ranges than this are worth asking which of them are below the floor. */
const manyRanges = 4_096

export class KnownDone {
  /** All below are done. */
  #floor = 0
  #above = new OffsetRanges()
  /** Which seek this is known of, or the group's beginning. */
  #era: string | undefined

  get era(): string | undefined {
    return this.#era
  }

  /** The group is of that era: what is known of another says nothing. */
  meet(era: string | undefined): void {
    if (era !== this.#era) this.beginAt(0, era)
  }

  /** All below are done. */
  get committed(): number {
    const [lowest] = this.#above.list
    return lowest !== undefined && lowest.first <= this.#floor ? lowest.end : this.#floor
  }

  has(offset: number): boolean {
    return offset < this.#floor || this.#above.has(offset)
  }

  add(offset: number): void {
    this.#above.add(offset, offset + 1)
  }

  get isLong(): boolean {
    return this.#above.list.length > manyRanges
  }

  raise(floor: number): void {
    if (floor <= this.#floor) return
    this.#floor = floor
    this.#above.removeBelow(floor)
  }

  /** The group goes on from there. */
  beginAt(floor: number, era: string | undefined): void {
    this.#era = era
    this.#floor = floor
    this.#above = new OffsetRanges()
  }
}
