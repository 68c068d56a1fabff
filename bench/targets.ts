import type { LongCaseName, StandardCaseName } from './cases/catalogue.js'
import type { ContenderName } from './contenders/catalogue.js'
import { describeValue } from './format.js'
import { gigabyte, statedGigabytes } from './long-cases.js'
import type { Results } from './results.js'

export type Verdict = 'reached' | 'NOT reached' | 'not measured' | 'stated only'

/** One of the figures the product promises, and what this run says about it. */
export interface Target {
  readonly figure: string
  readonly reach: string
  readonly measured: string
  readonly verdict: Verdict
}

/** The figures are stated for this message size. */
const targetMessageBytes = 100
const latencyTargetNodeMajor = 26

const million = 1e6
const megabyte = 1e6

/** Holds the results against the promised figures, in the order in which they are promised. */
export function judge(results: Results, nodeMajor: number): Target[] {
  const floor = fasterBareLoop(results)
  return [
    atLeastRatio(results, 'append', 'offer until published, over the bare loop', floor, 0.9),
    atLeastRatio(results, 'append', 'offer until published, over buffered writeSync', 'write-sync', 1.3),
    atLeastRatio(results, 'append', 'offer until published, over lmdb-js async put', 'lmdb', 8),
    atLeastRate(results, 'in-flight', 'append, 1,000 in flight', 1 * million),
    awaitedAppend(results, nodeMajor),
    atLeastRate(results, 'scan', 'scan with forEach, one reader, checksums verified', 12 * million),
    atLeastRate(results, 'read', 'read() to the application thread', 2.5 * million),
    atLeastRatio(results, 'read', 'read() over lmdb-js getRange', 'lmdb', 4),
    atMost(results, 'cold-read', 'event loop delay during a cold 4 GB read, p99.9', 'p999Ms', 5),
    atMost(
      results,
      'idle-memory',
      'resident memory beyond an empty log, idle two TTLs, 10 GB',
      'growthBytes',
      20 * megabyte,
    ),
    atMost(results, 'recovery', 'open after kill -9 with 10 GB written', 'openMs', 1000),
  ]
}

/** The form of the bare loop with the better median: the floor is what is possible, not what suits. */
export function fasterBareLoop(results: Results): ContenderName {
  const medianOf = (name: ContenderName) =>
    results.spread('append', targetMessageBytes, name, 'messagesPerSecond')?.median ?? 0
  return medianOf('bare-16k') > medianOf('bare') ? 'bare-16k' : 'bare'
}

function atLeastRatio(
  results: Results,
  caseName: StandardCaseName,
  figure: string,
  peer: ContenderName,
  least: number,
): Target {
  const reach = `>= x${least}`
  const ratio = results.ratio(caseName, targetMessageBytes, 'messagesPerSecond', 'bookend', peer)
  if (ratio === undefined) return notMeasured(figure, reach)
  const measured = `x${ratio.median.toFixed(2)} of ${peer} (${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)})`
  return { figure, reach, measured, verdict: verdictOf(ratio.median >= least) }
}

function atLeastRate(results: Results, caseName: StandardCaseName, figure: string, least: number): Target {
  const reach = `>= ${describeValue('messagesPerSecond', least)}`
  const rate = results.spread(caseName, targetMessageBytes, 'bookend', 'messagesPerSecond')
  if (rate === undefined) return notMeasured(figure, reach)
  const measured = describeValue('messagesPerSecond', rate.median)
  return { figure, reach, measured, verdict: verdictOf(rate.median >= least) }
}

function awaitedAppend(results: Results, nodeMajor: number): Target {
  const figure = 'one awaited append at a time, p50'
  const reach = `<= 25 us on Node ${latencyTargetNodeMajor}`
  const latency = results.spread('latency', targetMessageBytes, 'bookend', 'p50Us')
  if (latency === undefined) return notMeasured(figure, reach)
  const measured = `${describeValue('p50Us', latency.median)} on Node ${nodeMajor}`
  const isJudged = nodeMajor >= latencyTargetNodeMajor
  return { figure, reach, measured, verdict: isJudged ? verdictOf(latency.median <= 25) : 'stated only' }
}

function atMost(results: Results, caseName: LongCaseName, figure: string, name: string, most: number): Target {
  const reach = `<= ${describeValue(name, most)}`
  const figures = results.get(caseName, targetMessageBytes, 'bookend')?.rounds[0]
  if (figures === undefined) return notMeasured(figure, reach)
  const gigabytes = figures.payloadBytes! / gigabyte
  const isFullSize = gigabytes >= statedGigabytes[caseName]
  const isColdWhereNeeded = figures.isCold !== 0
  const measured = `${describeValue(name, figures[name]!)} at ${gigabytes} GB${isColdWhereNeeded ? '' : ', hot'}`
  if (!isFullSize || !isColdWhereNeeded) return { figure, reach, measured, verdict: 'stated only' }
  return { figure, reach, measured, verdict: verdictOf(figures[name]! <= most) }
}

function notMeasured(figure: string, reach: string): Target {
  return { figure, reach, measured: '-', verdict: 'not measured' }
}

function verdictOf(isReached: boolean): Verdict {
  return isReached ? 'reached' : 'NOT reached'
}
