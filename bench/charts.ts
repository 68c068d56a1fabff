/** From results to what can be drawn: lines where a case has an axis, bars where it has a few points. */
import { type ContenderName, inOrder } from './contenders/catalogue.js'
import { describePoint, describeRatio, describeSpread } from './format.js'
import { Latencies } from './latency.js'
import { advantage, hasFigures, pointsOf } from './report.js'
import type { ReportedCase } from './report-file.js'
import type { Results, Series } from './results.js'

export interface Line {
  readonly contender: ContenderName
  /** One a place on the axis; null where nothing was measured. */
  readonly values: readonly (number | null)[]
  readonly min: readonly (number | null)[]
  readonly max: readonly (number | null)[]
}

export interface Bar {
  readonly contender: ContenderName
  readonly value: number
  readonly min: number
  readonly max: number
  readonly label: string
  /** How many times as good Bookend was; empty where it took no part, and for itself. */
  readonly ratio: string
}

export type Chart =
  | {
      readonly kind: 'lines'
      readonly title: string
      readonly axis: string
      /** How numbers along x are told: as bytes, as counts, or as percentiles given by the number of nines. */
      readonly x: 'bytes' | 'count' | 'nines'
      readonly y: string
      readonly places: readonly number[]
      readonly lines: readonly Line[]
    }
  | {
      readonly kind: 'bars'
      readonly title: string
      readonly axis: string
      readonly groups: readonly { readonly name: string; readonly bars: readonly Bar[] }[]
    }

/** Fewer places than this make no line. */
const leastPlaces = 3
const percentiles = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99]

const words: Readonly<Record<string, string>> = {
  messagesPerSecond: 'messages per second',
  bytesPerSecond: 'bytes per second',
  nsPerMessage: 'ns per message',
  cpuMsPerSecond: 'ms of processor time per second',
  openMs: 'ms',
  p50Us: 'microseconds, median',
  p999Us: 'microseconds, 99.9th percentile',
}

export function chartsOf(benchCase: ReportedCase, results: Results): Chart[] {
  const all = results.all().filter((series) => series.caseName === benchCase.name && hasFigures(series))
  if (all.length === 0) return []
  const percentileChart = latencyChart(benchCase, all)
  return percentileChart === undefined ? [throughputChart(benchCase, results, all)] : [percentileChart]
}

function throughputChart(benchCase: ReportedCase, results: Results, all: readonly Series[]): Chart {
  const { title, headline, parameter, better } = benchCase
  const points = pointsOf(all)
  const isBySize = parameter === undefined
  const axisWord = isBySize ? 'message size' : parameter === 'backlog' ? 'bytes before' : parameter
  const axis = `${words[headline] ?? headline}, ${better} is better`
  const taking = inOrder(all.map(({ contender }) => contender))
  if (points.length < leastPlaces) {
    const groups = points.map((point) => ({
      name: describePoint(benchCase, point),
      bars: taking
        .flatMap((contender): Bar[] => {
          const spread = results.spread({ ...point, caseName: benchCase.name, contender }, headline)
          if (spread === undefined) return []
          const { median, min, max } = spread
          const key = { ...point, caseName: benchCase.name, contender }
          const over = contender === 'bookend' ? undefined : advantage(results, benchCase, key)
          const ratio = over === undefined ? '' : describeRatio({ ...over, count: 1 })
          return [{ contender, value: median, min, max, label: describeSpread(headline, spread), ratio }]
        })
        .toSorted((a, b) => (better === 'more' ? b.value - a.value : a.value - b.value)),
    }))
    return { kind: 'bars', title, axis, groups }
  }
  const placeOf = (point: (typeof points)[number]) => (isBySize ? point.messageBytes : point.parameter)
  const sorted = points.toSorted((a, b) => placeOf(a) - placeOf(b))
  const lines = taking.map((contender): Line => {
    const spreads = sorted.map((point) => results.spread({ ...point, caseName: benchCase.name, contender }, headline))
    return {
      contender,
      values: spreads.map((spread) => spread?.median ?? null),
      min: spreads.map((spread) => spread?.min ?? null),
      max: spreads.map((spread) => spread?.max ?? null),
    }
  })
  const x = isBySize || parameter === 'backlog' ? 'bytes' : 'count'
  return { kind: 'lines', title, axis: `${axis}, by ${axisWord}`, x, y: headline, places: sorted.map(placeOf), lines }
}

/** All percentiles of the rounds together, over the number of nines: the tail is what matters, so it gets the room. */
function latencyChart(benchCase: ReportedCase, all: readonly Series[]): Chart | undefined {
  const measured = all.filter(({ histograms }) => histograms !== undefined && histograms.length > 0)
  if (measured.length === 0) return undefined
  const lines = measured.map(({ contender, histograms }): Line => {
    const latencies = Latencies.merge(histograms!)
    const values = percentiles.map((percentile) => latencies.percentile(percentile))
    return { contender, values, min: values.map(() => null), max: values.map(() => null) }
  })
  const places = percentiles.map((percentile) => 100 / (100 - percentile))
  const axis = 'microseconds by percentile, less is better'
  return { kind: 'lines', title: benchCase.title, axis, x: 'nines', y: 'p50Us', places, lines }
}
