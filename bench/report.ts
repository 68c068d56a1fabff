/** The report in words and tables, for a terminal. */
import { longCaseNames, longCaseTitles } from './cases/catalogue.js'
import { inOrder } from './contenders/catalogue.js'
import {
  describeBytes,
  describeFigures,
  describePoint,
  describeRatio,
  describeSeries,
  describeSpread,
  describeValue,
  table,
} from './format.js'
import { type BenchReport, casesOf, type ReportedCase, type ReportHead } from './report-file.js'
import { Results, type Series, type SeriesKey } from './results.js'
import { median } from './statistics.js'

const latencyFigures = ['p50Us', 'p90Us', 'p99Us', 'p999Us', 'maxUs'] as const
const processFigures = [
  'ownerCpuMsPerSecond',
  'followerCpuMsPerSecond',
  'cpuNsPerMessage',
  'followerCpuNsPerMessage',
  'followerSwitchesPerMessage',
  'cpuOverAlone',
  'afterOverBefore',
  'afterCpuOverBefore',
] as const
const serverFigures = [
  'messagesPerSecond',
  'pushPerSecond',
  'workPerSecond',
  'knownMs',
  'deliveredMs',
  'memoryBytes',
  'cpuNsPerMessage',
  'serverCpuNsPerMessage',
] as const
const costFigures = ['userCpuMs', 'systemCpuMs', 'voluntarySwitches', 'involuntarySwitches', 'minorFaults'] as const

/** Where the figures come from, who took part and how each was set up. */
export function describeRun({ machine, setUp, settings, versions, missing }: ReportHead): string {
  const contenders = Object.entries(settings).map(
    ([name, setting]) => `- ${name}${withSpace(versions[name])}: ${setting}`,
  )
  const absent = Object.entries(missing).map(([name, reason]) => `- ${name}: not available: ${reason}`)
  return [
    `machine     ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB`,
    `kernel      ${machine.kernel}; file system ${machine.fileSystem} (${setUp.directory})`,
    `node        ${machine.node} (V8 ${machine.v8}); bookend ${machine.bookend}`,
    `date        ${machine.date}`,
    `data        ${describeBytes(setUp.dataBytes)} of payload where nothing else is said; sizes ${setUp.sizes.map(describeBytes).join(', ')}`,
    `method      ${setUp.rounds === 1 ? 'one round' : `${setUp.rounds} rounds`}, contenders in turn (every other round backwards), each job in a fresh process;`,
    '            warm-up in that process: appends as many as are measured, others 10 % of the messages, at most a million, again and',
    '            again for a second where that can be done again; page cache warm for reads',
    '            unless a case says cold; slow peers get a quarter of the messages, except with --full;',
    '            before each large job as much memory as it needs is touched and freed (a hypervisor may have taken it)',
    ...contenders,
    ...absent,
  ].join('\n')
}

export function fullReport(report: BenchReport): string {
  const results = new Results(report.series)
  const sections = [
    ...casesOf(report).map((benchCase) => caseReport(report, results, benchCase)),
    stageReport(report),
    longCaseReport(results),
    movementReport(report),
    targetReport(report),
    failureReport(results),
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

/** A row for each point: everybody's median (least-greatest), and how many times as good the product was. */
function caseReport(report: BenchReport, results: Results, benchCase: ReportedCase): string {
  const all = results.all().filter(({ caseName }) => caseName === benchCase.name)
  const contenders = inOrder(all.filter(hasFigures).map(({ contender }) => contender))
  if (contenders.length === 0) return ''
  const rows = pointsOf(all).map((point) => [
    describePoint(benchCase, point),
    ...contenders.map((contender) =>
      cell(report, results, benchCase, { ...point, caseName: benchCase.name, contender }),
    ),
  ])
  const parts = [
    `## ${benchCase.title}: ${benchCase.headline}, ${benchCase.better} is better`,
    table(['', ...contenders], rows),
  ]
  if (all.some(({ histograms }) => histograms !== undefined)) parts.push(figureReport(benchCase, all, latencyFigures))
  if (benchCase.section === 'Processes') parts.push(figureReport(benchCase, all, processFigures))
  if (benchCase.section === 'Servers' || benchCase.section === 'Jobs')
    parts.push(figureReport(benchCase, all, serverFigures))
  if (benchCase.section === 'Moving bytes') parts.push(figureReport(benchCase, all, costFigures))
  return parts.join('\n\n')
}

function cell(report: BenchReport, results: Results, benchCase: ReportedCase, key: SeriesKey): string {
  const spread = results.spread(key, benchCase.headline)
  if (spread === undefined) return results.get(key)?.failure === undefined ? '-' : 'failed'
  const isMoved = report.moved.some(({ key: moved }) => sameSeries(moved, key))
  const told = `${describeSpread(benchCase.headline, spread)}${isMoved ? ' *moved*' : ''}`
  if (key.contender === 'bookend') return told
  const ratio = advantage(results, benchCase, key)
  return ratio === undefined ? told : `${told} ${describeRatio(ratio)}`
}

/** How many times as good the product was: more per second, or fewer microseconds, where the fraction is turned over. */
export function advantage(results: Results, { better, headline }: ReportedCase, key: SeriesKey) {
  const product = { ...key, contender: 'bookend' } as const
  return better === 'more' ? results.ratio(product, key, headline) : results.ratio(key, product, headline)
}

/** More figures of the same jobs, those that anybody has, each the median over the rounds. */
function figureReport(benchCase: ReportedCase, all: readonly Series[], names: readonly string[]): string {
  const figures = names.filter((name) => all.some(({ rounds }) => rounds.some((round) => round?.[name] !== undefined)))
  if (figures.length === 0) return ''
  const hasPoints = pointsOf(all).length > 1
  const rows = all.filter(hasFigures).map((series) => [
    hasPoints ? `${describePoint(benchCase, series)}, ${series.contender}` : series.contender,
    ...figures.map((figure) => {
      const values = series.rounds.flatMap((round) => round?.[figure] ?? [])
      return values.length === 0 ? '-' : describeValue(figure, median(values))
    }),
  ])
  return table(['', ...figures], rows)
}

export function pointsOf(all: readonly Series[]): { messageBytes: number; parameter: number }[] {
  const points = new Map(
    all.map(({ messageBytes, parameter }) => [`${messageBytes}/${parameter}`, { messageBytes, parameter }]),
  )
  return [...points.values()]
}

export function hasFigures({ rounds }: Series): boolean {
  return rounds.some((round) => round !== null && round !== undefined)
}

function stageReport({ stages }: BenchReport): string {
  return stages
    .map(({ work, threads }) => {
      const rows = threads.flatMap(({ name, nsPerMessage, parts }) => [
        [name, '', nsPerMessage.toFixed(0)],
        ...parts.filter((part) => part.nsPerMessage >= 1).map((part) => ['', part.name, part.nsPerMessage.toFixed(0)]),
      ])
      return `## stages of ${work}: ns of processor time per message, while sampled\n\n${table(['thread', 'file', 'ns'], rows)}`
    })
    .join('\n\n')
}

/** The long cases, every figure by name. */
function longCaseReport(results: Results): string {
  return longCaseNames
    .flatMap((name) => {
      const figures = results.all().find(({ caseName }) => caseName === name)?.rounds[0]
      return figures === undefined || figures === null ? [] : [`${longCaseTitles[name]}: ${describeFigures(figures)}`]
    })
    .join('\n')
}

function movementReport({ moved }: BenchReport): string {
  if (moved.length === 0) return ''
  const rows = moved.map(({ key, figure, before, after, isBetter }) => [
    describeSeries(key),
    describeValue(figure, before),
    describeValue(figure, after),
    isBetter ? 'better' : 'WORSE',
  ])
  return `## moved by more than the rounds differ among themselves\n\n${table(['', 'before', 'now', ''], rows)}`
}

/** The promised figures and whether this run reached them. One that was cut short must not even look as if it said something. */
function targetReport({ targets, setUp }: BenchReport): string {
  if (setUp.isCut) return ''
  const rows = targets.map((target) => [target.figure, target.reach, target.measured, target.verdict])
  return table(['figure (100 B unless said)', 'reach', 'measured', 'verdict'], rows)
}

/** What went wrong, in full, and who took no part. */
function failureReport(results: Results): string {
  const failed = results
    .failures()
    .map((series) => `FAILED ${describeSeries(series)}: ${series.failure!.split('\n')[0]}`)
  const absent = new Set(
    results
      .all()
      .flatMap(({ caseName, contender, unavailable }) =>
        unavailable === undefined ? [] : [`left out: ${caseName} ${contender}: ${unavailable}`],
      ),
  )
  return [...failed, ...absent].join('\n')
}

function sameSeries(a: SeriesKey, b: SeriesKey): boolean {
  return describeSeries(a) === describeSeries(b)
}

function withSpace(text: string | undefined): string {
  return text === undefined ? '' : ` ${text}`
}
