/**
 * Searching what is sorted by time, where each look costs. Looks on both sides of where the time should stand if messages had come evenly;
 * where they have not, halves what is left.
 */

/** Offsets, and times between which theirs lie. */
export interface TimedRange {
  readonly first: number
  /** Exclusive. */
  readonly end: number
  /** No message of the range is older, and none newer. */
  readonly firstTime: number
  readonly lastTime: number
}

/** What a look at an offset has shown: offsets, that one among them, which have one time; some may be out of range. */
export interface TimedRun {
  readonly first: number
  /** Exclusive. */
  readonly end: number
  readonly time: number
}

/** The first offset whose time is at or above `time`; the end of the range: there is none. */
export function firstAtOrAfter(range: TimedRange, time: number, runAt: (offset: number) => TimedRun): number {
  // Below `low` everything is older, from `high` on nothing is.
  let low = range.first
  let high = range.end
  let { firstTime, lastTime } = range
  /** True: the offset is older. */
  const look = (offset: number): boolean => {
    const run = runAt(offset)
    if (run.time < time) {
      low = Math.min(high, Math.max(low, run.end))
      firstTime = run.time
      return true
    }
    high = Math.max(low, Math.min(high, run.first))
    lastTime = run.time
    return false
  }
  // Each time the guess was wrong it takes longer until the next one: so little more is looked at than by halving alone.
  let halvings = 1
  while (low < high) {
    const span = high - low
    const share = lastTime > firstTime ? (time - firstTime) / (lastTime - firstTime) : 0.5
    const guess = low + Math.floor(Math.min(1, Math.max(0, share)) * span)
    // What comes at random strays from an even row by the root of its length.
    const beside = Math.ceil(2 * Math.sqrt(span))
    const isWorthGuessing = 4 * beside < span
    const isBehind = isWorthGuessing && look(Math.min(high - 1, Math.max(low, guess - beside)))
    const isBefore = isBehind && low < high && !look(Math.max(low, Math.min(high - 1, guess + beside)))
    if (isBefore) continue
    for (let left = halvings; left > 0 && low < high; left--) look(low + Math.floor((high - low) / 2))
    if (isWorthGuessing) halvings *= 2
  }
  return low
}
