/** Offsets that somebody holds, as ascending stretches of one ask, one attempt and one term each. */

/** Offsets from `first` up to `end`, exclusive. */
export interface HeldStretch {
  readonly first: number
  readonly end: number
  readonly attempt: number
  /** Number of the ask that they answered. */
  readonly ask: number
  /** When it is looked whether the holder is still there, as `performance.now()`; Infinity: never. */
  readonly untilMs: number
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
    else if (last.end === stretch.first && isAlike(last, stretch))
      stretches[stretches.length - 1] = { ...last, end: stretch.end }
    else stretches.splice(this.#endingAfter(stretch.first), 0, stretch)
  }

  /** Those of them that are held are held no more. @returns what was held of them */
  remove(first: number, end: number): HeldStretch[] {
    const stretches = this.#stretches
    const from = this.#endingAfter(first)
    let to = from
    while (to < stretches.length && stretches[to].first < end) to += 1
    if (from === to) return []
    const left = stretches[from]
    const right = stretches[to - 1]
    const rest: HeldStretch[] = []
    if (left.first < first) rest.push({ ...left, end: first })
    if (right.end > end) rest.push({ ...right, first: end })
    const removed = stretches.splice(from, to - from, ...rest)
    return removed.map((each) => ({ ...each, first: Math.max(each.first, first), end: Math.min(each.end, end) }))
  }

  /** Takes out what answered that ask. */
  removeAnswer(ask: number): readonly HeldStretch[] {
    const answer = this.#stretches.filter((each) => each.ask === ask)
    if (answer.length > 0) this.#stretches = this.#stretches.filter((each) => each.ask !== ask)
    return answer
  }

  /** The earliest {@link HeldStretch.untilMs}. */
  get dueMs(): number {
    return this.#stretches.reduce((least, { untilMs }) => Math.min(least, untilMs), Number.POSITIVE_INFINITY)
  }

  /** The terms that are over by `nowMs` begin anew. */
  renew(nowMs: number, untilMs: number): void {
    this.#stretches = this.#stretches.map((each) => (each.untilMs <= nowMs ? { ...each, untilMs } : each))
  }

  /** Takes out those whose terms are over by `nowMs`. */
  drainDue(nowMs: number): readonly HeldStretch[] {
    const due = this.#stretches.filter(({ untilMs }) => untilMs <= nowMs)
    this.#stretches = this.#stretches.filter(({ untilMs }) => untilMs > nowMs)
    return due
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

function isAlike(a: HeldStretch, b: HeldStretch): boolean {
  return a.ask === b.ask && a.attempt === b.attempt && a.untilMs === b.untilMs
}
