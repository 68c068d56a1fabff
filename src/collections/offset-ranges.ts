/** A set of offsets as ascending ranges that neither overlap nor touch. */

/** Offsets from `first` up to `end`, exclusive. */
export interface OffsetRange {
  readonly first: number
  readonly end: number
}

export class OffsetRanges {
  readonly #ranges: OffsetRange[] = []

  constructor(ranges: readonly OffsetRange[] = []) {
    for (const { first, end } of ranges) this.add(first, end)
  }

  /** Not a copy: it changes with the set. */
  get list(): readonly OffsetRange[] {
    return this.#ranges
  }

  /** How many offsets there are in the set. */
  get size(): number {
    return this.#ranges.reduce((sum, { first, end }) => sum + end - first, 0)
  }

  /** @returns false if all of them were there before */
  add(first: number, end: number): boolean {
    const ranges = this.#ranges
    // The ranges that overlap or touch the new one become one with it.
    const from = this.#endingAtOrAfter(first)
    let to = from
    while (to < ranges.length && ranges[to].first <= end) to += 1
    if (to - from === 1 && ranges[from].first <= first && ranges[from].end >= end) return false
    const merged = {
      first: to > from ? Math.min(first, ranges[from].first) : first,
      end: to > from ? Math.max(end, ranges[to - 1].end) : end,
    }
    // Mostly one grows, or one comes behind all others: then nothing is moved.
    if (to - from === 1 || from === ranges.length) ranges[from] = merged
    else ranges.splice(from, to - from, merged)
    return true
  }

  remove(first: number, end: number): void {
    const ranges = this.#ranges
    const from = this.#endingAtOrAfter(first + 1)
    let to = from
    while (to < ranges.length && ranges[to].first < end) to += 1
    if (to === from || end <= first) return
    const left = ranges[from].first
    const right = ranges[to - 1].end
    // Mostly one becomes shorter: then nothing is moved.
    if (to - from === 1 && left === first && right > end) ranges[from] = { first: end, end: right }
    else {
      const rest = [
        { first: left, end: first },
        { first: end, end: right },
      ]
      ranges.splice(from, to - from, ...rest.filter((range) => range.end > range.first))
    }
  }

  removeBelow(offset: number): void {
    const ranges = this.#ranges
    // Called with every acknowledgement, mostly in order: then there is nothing to remove, and nothing is made.
    let count = 0
    while (count < ranges.length && ranges[count].end <= offset) count += 1
    if (count > 0) ranges.splice(0, count)
    if (ranges.length > 0 && ranges[0].first < offset) ranges[0] = { first: offset, end: ranges[0].end }
  }

  /** The range that holds `offset`, or else the next one above it. */
  atOrAbove(offset: number): OffsetRange | undefined {
    return this.#ranges[this.#endingAtOrAfter(offset + 1)]
  }

  has(offset: number): boolean {
    const range = this.atOrAbove(offset)
    return range !== undefined && range.first <= offset
  }

  /** Subscript of the first range with `end >= offset`. */
  #endingAtOrAfter(offset: number): number {
    const ranges = this.#ranges
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (ranges[middle].end < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
