import { benchCases } from './cases/catalogue.js'
import { Results, type Series, type SeriesKey } from './results.js'
import { hasMoved } from './statistics.js'

/** A series whose figure is not what it was in an earlier run. */
export interface Movement {
  readonly key: SeriesKey
  readonly figure: string
  readonly before: number
  readonly after: number
  readonly isBetter: boolean
}

/** What moved by more than the rounds of either run differ among themselves. */
export function movements(now: Results, earlier: readonly Series[]): Movement[] {
  const before = new Results(earlier)
  return now.all().flatMap((series) => {
    const benchCase = benchCases.find(({ name }) => name === series.caseName)
    if (benchCase === undefined) return []
    const figure = benchCase.headline
    const [then, today] = [before.spread(series, figure), now.spread(series, figure)]
    if (then === undefined || today === undefined || !hasMoved(then, today)) return []
    const isMore = today.median > then.median
    const { caseName, messageBytes, parameter, contender } = series
    const key = { caseName, messageBytes, parameter, contender }
    return [
      { key, figure, before: then.median, after: today.median, isBetter: isMore === (benchCase.better === 'more') },
    ]
  })
}
