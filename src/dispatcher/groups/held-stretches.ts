/** Offsets that somebody holds, as ascending stretches of one attempt each. */

/** Offsets from `first` up to `end`, exclusive. */
export interface HeldStretch {
  readonly first: number
  readonly end: number
  readonly attempt: number
}

export class HeldStretches {
  #stretches: HeldStretch[] = []

  get list(): readonly HeldStretch[] {
    return this.#stretches
  }

  /** None of them is held already. */
  add(stretch: HeldStretch): void {
    // Mostly in order: then it stands last, or goes on where the last one ends.
    const stretches = this.#stretches
    const last = stretches.at(-1)
    if (last === undefined || last.end < stretch.first) stretches.push(stretch)
    else if (last.end === stretch.first && last.attempt === stretch.attempt)
      stretches[stretches.length - 1] = { ...last, end: stretch.end }
    else stretches.splice(this.#endingAfter(stretch.first), 0, stretch)
  }

  /** Those of them that are held are held no more. */
  remove(first: number, end: number): void {
    const stretches = this.#stretches
    const from = this.#endingAfter(first)
    let to = from
    while (to < stretches.length && stretches[to].first < end) to += 1
    if (from === to) return
    const left = stretches[from]
    const right = stretches[to - 1]
    const rest: HeldStretch[] = []
    if (left.first < first) rest.push({ ...left, end: first })
    if (right.end > end) rest.push({ ...right, first: end })
    stretches.splice(from, to - from, ...rest)
  }

  /** Takes everything out. */
  drain(): readonly HeldStretch[] {
    const stretches = this.#stretches
    this.#stretches = []
    return stretches
  }

  /** Subscript of the first stretch with `end > offset`. */
  #endingAfter(offset: number): number {
    let low = 0
    let high = this.#stretches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#stretches[middle].end <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
