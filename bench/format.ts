import type { Figures } from './job.js'
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
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`
}

/** A Markdown table with its columns aligned, readable in a terminal and in a page alike. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length), 3))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [line(header), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n')
}

function digits(value: number): string {
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  return size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** By the ending of the figure's name, see the house rule on names. */
function unitOf(figure: string, value: number): { divisor: number; name: string } {
  if (figure === 'messagesPerSecond')
    return value >= 1e6 ? { divisor: 1e6, name: 'M/s' } : { divisor: 1e3, name: 'k/s' }
  if (figure === 'bytesPerSecond') return { divisor: 1e6, name: 'MB/s' }
  if (figure.endsWith('Bytes')) return { divisor: 1e6, name: 'MB' }
  if (figure.endsWith('Us')) return { divisor: 1, name: 'us' }
  if (figure.endsWith('Ms')) return { divisor: 1, name: 'ms' }
  return { divisor: 1, name: '' }
}
