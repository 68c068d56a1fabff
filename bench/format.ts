import type { BenchCase, Parameter, Point } from './cases/bench-case.js'
import { benchCases } from './cases/catalogue.js'
import type { Figures } from './job.js'
import type { SeriesKey } from './results.js'
import type { Spread } from './statistics.js'

/** Rates in millions or thousands, latencies in microseconds: three digits say all that a shared machine can know. */
export function describeValue(figure: string, value: number): string {
  const { divisor, name } = unitOf(figure, value)
  return name === '' ? value.toLocaleString('en', { maximumFractionDigits: 2 }) : `${digits(value / divisor)} ${name}`
}

/** Median and, where there was more than one round, the extremes, all in the median's unit. */
export function describeSpread(figure: string, spread: Spread): string {
  const middle = describeValue(figure, spread.median)
  if (spread.count === 1) return middle
  const { divisor } = unitOf(figure, spread.median)
  return `${middle} (${digits(spread.min / divisor)}-${digits(spread.max / divisor)})`
}

/** One job's headline, with the throughput in bytes beside a rate. */
export function describeFigure(headline: string, figures: Figures): string {
  const value = describeValue(headline, figures[headline]!)
  return headline === 'messagesPerSecond'
    ? `${value}  ${describeValue('bytesPerSecond', figures.bytesPerSecond!)}`
    : value
}

/** Every figure by name, for cases that have no common shape. */
export function describeFigures(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${describeValue(name, value)}`)
    .join(', ')
}

export function describeRatio(ratio: Spread): string {
  return ratio.count === 1
    ? `x${digits(ratio.median)}`
    : `x${digits(ratio.median)} (${digits(ratio.min)}-${digits(ratio.max)})`
}

export function describeBytes(bytes: number): string {
  if (bytes >= 1024 ** 2 && bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2} MiB`
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`
}

export function describeParameter(parameter: Parameter, value: number): string {
  if (parameter === 'backlog') return value >= 1e9 ? `${value / 1e9} GB before` : `${value / 1e6} MB before`
  if (parameter === 'flush') return value === 0 ? 'level process' : 'flushed first'
  if (parameter === 'batch') return `${value} a batch`
  return `${value.toLocaleString('en')} ${value === 1 ? parameter.replace(/s$/, '') : parameter}`
}

export function describePoint(
  { parameter }: Pick<BenchCase, 'parameter'>,
  point: Pick<Point, 'messageBytes' | 'parameter'>,
): string {
  const size = describeBytes(point.messageBytes)
  return parameter === undefined ? size : `${size}, ${describeParameter(parameter, point.parameter)}`
}

/** How the figure of several rounds is made. */
export function describeRounds(rounds: number): string {
  return rounds === 1 ? 'one round' : `median of ${rounds} rounds`
}

/** A series in words. */
export function describeSeries({ caseName, contender, ...point }: SeriesKey): string {
  const benchCase = benchCases.find(({ name }) => name === caseName)
  return `${caseName}, ${benchCase === undefined ? describeBytes(point.messageBytes) : describePoint(benchCase, point)}, ${contender}`
}

/** A Markdown table with its columns aligned, readable in a terminal and in a page alike. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length), 3))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [line(header), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n')
}

export function digits(value: number): string {
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  return size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** By the ending of the figure's name, see the house rule on names. */
export function unitOf(figure: string, value: number): { divisor: number; name: string } {
  if (/cpuMsPerSecond$/i.test(figure)) return { divisor: 1, name: 'ms/s' }
  if (figure === 'bytesPerSecond') return { divisor: 1e6, name: 'MB/s' }
  if (/PerSecond$/.test(figure)) {
    if (value >= 1e6) return { divisor: 1e6, name: 'M/s' }
    return value >= 1e3 ? { divisor: 1e3, name: 'k/s' } : { divisor: 1, name: '/s' }
  }
  if (/nsPerMessage$/i.test(figure)) return { divisor: 1, name: 'ns' }
  if (/Bytes$/.test(figure)) return value >= 1e6 ? { divisor: 1e6, name: 'MB' } : { divisor: 1e3, name: 'kB' }
  if (/Us$/.test(figure)) return value >= 10_000 ? { divisor: 1000, name: 'ms' } : { divisor: 1, name: 'us' }
  if (/Ms$/.test(figure)) return { divisor: 1, name: 'ms' }
  return { divisor: 1, name: '' }
}
