import type { ContenderName } from './contenders/catalogue.js'
import type { Figures, Outcome } from './job.js'
import { pairedRatio, type Spread, spreadOf } from './statistics.js'

/** What identifies a series of rounds. */
export interface SeriesKey {
  readonly caseName: string
  readonly messageBytes: number
  readonly parameter: number
  readonly contender: ContenderName
}

/** What every round of one case, at one point, gave for one contender. */
export interface Series extends SeriesKey {
  readonly messages: number
  /** By round; null where the job failed. */
  readonly rounds: (Figures | null)[]
  /** HDR histograms of the rounds, where latencies were taken. */
  readonly histograms?: string[]
  failure?: string
  /** Why it took no part, where that is no failure. */
  unavailable?: string
}

/** Everything measured in one run. */
export class Results {
  readonly #series = new Map<string, Series>()

  constructor(series: readonly Series[] = []) {
    for (const each of series) this.#series.set(identify(each), each)
  }

  record(key: SeriesKey & { readonly messages: number }, round: number, outcome: Outcome | Error): void {
    const series = this.#at(key)
    if (outcome instanceof Error) {
      series.failure = outcome.message
      series.rounds[round] = null
      return
    }
    series.rounds[round] = outcome.figures
    if (outcome.histogram !== undefined) {
      const kept = series as { histograms?: string[] }
      kept.histograms = [...(kept.histograms ?? []), outcome.histogram]
    }
  }

  leaveOut(key: SeriesKey & { readonly messages: number }, reason: string): void {
    this.#at(key).unavailable = reason
  }

  all(): Series[] {
    return [...this.#series.values()]
  }

  failures(): Series[] {
    return this.all().filter((series) => series.failure !== undefined)
  }

  get(key: SeriesKey): Series | undefined {
    return this.#series.get(identify(key))
  }

  /** Over the rounds; undefined where nothing was measured. */
  spread(key: SeriesKey, figure: string): Spread | undefined {
    const values = valuesOf(this.get(key), figure).filter((value) => value !== undefined)
    return values.length === 0 ? undefined : spreadOf(values)
  }

  /** One contender's figure over another's, round by round. */
  ratio(numerator: SeriesKey, denominator: SeriesKey, figure: string): Spread | undefined {
    return pairedRatio(valuesOf(this.get(numerator), figure), valuesOf(this.get(denominator), figure))
  }

  #at(key: SeriesKey & { readonly messages: number }): Series {
    const { caseName, messageBytes, parameter, contender, messages } = key
    const id = identify(key)
    const series = this.#series.get(id) ?? { caseName, messageBytes, parameter, contender, messages, rounds: [] }
    this.#series.set(id, series)
    return series
  }
}

function valuesOf(series: Series | undefined, figure: string): (number | undefined)[] {
  return Array.from(series?.rounds ?? [], (figures) => figures?.[figure])
}

function identify({ caseName, messageBytes, parameter, contender }: SeriesKey): string {
  return `${caseName}/${messageBytes}/${parameter}/${contender}`
}
