import { longCaseNames, longCaseTitles, type StandardCase, standardCases } from './cases/catalogue.js'
import { type ContenderName, contenderNames, contenderSettings } from './contenders/catalogue.js'
import { describeBytes, describeFigures, describeRatio, describeSpread, describeValue, table } from './format.js'
import type { Machine } from './machine.js'
import type { BenchOptions } from './options.js'
import type { Results } from './results.js'
import { spreadOf } from './statistics.js'
import { fasterBareLoop, type Target } from './targets.js'

const latencyFigures = ['p50Us', 'p90Us', 'p99Us', 'p999Us', 'maxUs'] as const

/** Where the figures come from. */
export function machineReport(machine: Machine, options: BenchOptions): string {
  const data = options.messages === undefined ? `${options.dataMib} MiB of payload` : `${options.messages} messages`
  return [
    `machine     ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB`,
    `kernel      ${machine.kernel}; file system ${machine.fileSystem} (${options.directory})`,
    `node        ${machine.node} (V8 ${machine.v8}); bookend ${machine.bookend}`,
    `date        ${machine.date}`,
    `data        ${data} per case; sizes ${options.sizes.map(describeBytes).join(', ')}`,
    `method      ${options.rounds} rounds, contenders in turn (every other round backwards), each job in a fresh process;`,
    '            warm-up in that process: 10 % of the messages, at most 200,000, not measured; page cache warm for reads;',
    '            before each job as much memory as it needs is touched and freed (a hypervisor may have taken it away)',
  ].join('\n')
}

/** Who took part, how it was set up, and who did not and why. */
export function contenderReport(
  taking: readonly ContenderName[],
  versions: ReadonlyMap<ContenderName, string>,
  missing: ReadonlyMap<ContenderName, string>,
): string {
  const lines = taking.map((name) => `- ${name}${withSpace(versions.get(name))}: ${contenderSettings[name]}`)
  for (const [name, reason] of missing) lines.push(`- ${name}: not available: ${reason}`)
  return lines.join('\n')
}

/** A row per case and size: everybody's median (least-greatest), and how many times as fast the product was. */
export function caseReport(results: Results, options: BenchOptions): string {
  const measured = contenderNames.filter((name) => results.all().some((series) => series.contender === name))
  const rows = standardCases.flatMap((standardCase) =>
    options.sizes
      .filter((size) => measured.some((name) => results.get(standardCase.name, size, name) !== undefined))
      .map((size) => [
        `${standardCase.title}, ${describeBytes(size)}`,
        ...measured.map((name) => cell(results, standardCase, size, name)),
      ]),
  )
  if (rows.length === 0) return ''
  return [
    'Median (least-greatest) of the rounds; xN: so many times as fast as this peer was the product, median of the pairs.',
    '',
    table(['case', ...measured], rows),
    '',
    `Floor: the faster form of the bare loop at 100 B, here ${fasterBareLoop(results)}.`,
  ].join('\n')
}

function cell(results: Results, { name, headline }: StandardCase, size: number, contender: ContenderName): string {
  const spread = results.spread(name, size, contender, headline)
  if (spread === undefined) return results.get(name, size, contender)?.failure === undefined ? '-' : 'failed'
  const told = describeSpread(headline, spread)
  if (contender === 'bookend') return told
  // Faster means more per second, but fewer microseconds: the fraction is turned over.
  const ratio =
    headline === 'messagesPerSecond'
      ? results.ratio(name, size, headline, 'bookend', contender)
      : results.ratio(name, size, headline, contender, 'bookend')
  return ratio === undefined ? told : `${told} ${describeRatio(ratio)}`
}

/** Percentiles of one awaited append at a time: the median of each percentile over the rounds. */
export function latencyReport(results: Results, options: BenchOptions): string {
  const rows = options.sizes.flatMap((size) =>
    contenderNames.flatMap((contender) => {
      const rounds = results.get('latency', size, contender)?.rounds.filter((figures) => figures !== undefined) ?? []
      if (rounds.length === 0) return []
      const medians = latencyFigures.map((figure) => {
        const { median } = spreadOf(rounds.map((figures) => figures[figure]!))
        return describeValue(figure, median)
      })
      return [[contender, describeBytes(size), ...medians, String(rounds[0]!.samples)]]
    }),
  )
  if (rows.length === 0) return ''
  return [
    'One awaited append at a time:',
    '',
    table(['contender', 'size', 'p50', 'p90', 'p99', 'p99.9', 'max', 'samples'], rows),
  ].join('\n')
}

/** The long cases, every figure by name. */
export function longCaseReport(results: Results, options: BenchOptions): string {
  return longCaseNames
    .flatMap((name) => {
      const figures = results.get(name, options.sizes[0]!, 'bookend')?.rounds[0]
      return figures === undefined ? [] : [`${longCaseTitles[name]}: ${describeFigures(figures)}`]
    })
    .join('\n')
}

/** The promised figures and whether this run reached them. */
export function targetReport(targets: readonly Target[]): string {
  const rows = targets.map((target) => [target.figure, target.reach, target.measured, target.verdict])
  return table(['figure (100 B)', 'reach', 'measured', 'verdict'], rows)
}

/** What went wrong, in full. */
export function failureReport(results: Results): string {
  return results
    .failures()
    .map(
      (series) =>
        `FAILED ${series.caseName} ${describeBytes(series.messageBytes)} ${series.contender}: ${series.failure}`,
    )
    .join('\n')
}

function withSpace(text: string | undefined): string {
  return text === undefined ? '' : ` ${text}`
}
