/** Median with the extremes beside it: with five rounds, percentiles and deviations would only pretend to know more. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly count: number
}

/** The middle value; the mean of the two middle ones where their number is even. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values, no median')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median, least and greatest. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length }
}

/**
 * Ratios of what was measured in the same round, so that a machine that was slow for a while was slow for both.
 * Rounds in which one of the two is missing are left out; undefined where no round has both.
 */
export function pairedRatio(
  numerators: readonly (number | undefined)[],
  denominators: readonly (number | undefined)[],
): Spread | undefined {
  const ratios: number[] = []
  for (const [round, numerator] of numerators.entries()) {
    const denominator = denominators[round]
    if (numerator !== undefined && denominator !== undefined) ratios.push(numerator / denominator)
  }
  return ratios.length === 0 ? undefined : spreadOf(ratios)
}

/**
 * True if neither median lies within what the other's rounds have shown: one run's noise does not explain the other. A single
 * round has shown no noise, so nothing can be said about it.
 */
export function hasMoved(before: Spread, after: Spread): boolean {
  if (before.count < 2 || after.count < 2) return false
  const lies = ({ median }: Spread, { min, max }: Spread) => median >= min && median <= max
  return !lies(after, before) && !lies(before, after)
}
