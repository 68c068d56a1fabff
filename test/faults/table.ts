/** The one table at the end of a run. */
import type { Row } from './fault.js'

const columns = ['fault', 'runs', 'acknowledged', 'lost', 'duplicates', 'wrong', 'p50 ms', 'p99 ms', 'verdict'] as const

export function percentile(values: readonly number[], share: number): number | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]
}

/** A row that never ran has proved nothing, unless it could not. */
export function isGood(row: Row): boolean {
  return (
    row.isLeftOut === true || (row.runs > 0 && row.failures.length === 0 && !row.lost && !row.duplicates && !row.wrong)
  )
}

export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.what + (row.note === undefined ? '' : ` (${row.note})`),
    count(row.runs),
    count(row.acknowledged),
    count(row.lost),
    count(row.duplicates),
    count(row.wrong),
    duration(percentile(row.recoveryMs ?? [], 0.5)),
    duration(percentile(row.recoveryMs ?? [], 0.99)),
    row.isLeftOut ? 'left out' : isGood(row) ? 'ok' : row.runs === 0 ? 'NOT RUN' : 'FAILED',
  ])
  const all = [[...columns], columns.map(() => '---'), ...lines]
  return all.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

function count(value: number | undefined): string {
  return value === undefined ? '' : value.toLocaleString('en-US')
}

function duration(ms: number | undefined): string {
  return ms === undefined ? '' : ms < 10 ? ms.toFixed(1) : ms.toFixed(0)
}
