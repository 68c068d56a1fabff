import type { BenchCase } from './cases/bench-case.js'
import { benchCases } from './cases/catalogue.js'
import type { ContenderName } from './contenders/catalogue.js'
import { describePoint, describeRounds, describeSpread, table } from './format.js'
import type { BenchReport } from './report-file.js'
import { Results } from './results.js'
import { serversTable } from './servers/figures.js'

/** What a reader of the documents wants to compare; the page with the plots has everybody. */
interface Row {
  readonly caseName: string
  readonly messageBytes: number
  readonly parameter: number
  /** One of the few that the README shows. */
  readonly isHeadline?: true
}

const columns: readonly ContenderName[] = ['bookend', 'write-sync', 'lmdb', 'better-sqlite3', 'classic-level']
const rows: readonly Row[] = [
  { caseName: 'append', messageBytes: 100, parameter: 0, isHeadline: true },
  { caseName: 'append', messageBytes: 1024, parameter: 0 },
  { caseName: 'in-flight', messageBytes: 100, parameter: 1000 },
  { caseName: 'append-disk', messageBytes: 100, parameter: 1000, isHeadline: true },
  { caseName: 'latency', messageBytes: 100, parameter: 0, isHeadline: true },
  { caseName: 'paced', messageBytes: 100, parameter: 0 },
  { caseName: 'follow', messageBytes: 100, parameter: 0 },
  { caseName: 'read', messageBytes: 100, parameter: 0, isHeadline: true },
  { caseName: 'read', messageBytes: 1024, parameter: 0 },
  { caseName: 'scan', messageBytes: 100, parameter: 1 },
  { caseName: 'get', messageBytes: 100, parameter: 0 },
  { caseName: 'get-many', messageBytes: 100, parameter: 1000 },
  { caseName: 'queue', messageBytes: 100, parameter: 100, isHeadline: true },
]

/** Which figures a document shows: all but those on servers, the few that stand for them, or those on servers. */
export type Shown = 'all' | 'headlines' | 'servers'

/** The figures of a run as a Markdown table, with where they come from. */
export function figuresTable(report: BenchReport, shown: Shown): string {
  const { machine, setUp } = report
  const from = `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, ${machine.fileSystem}, Node ${machine.node}; ${describeRounds(setUp.rounds)} (least-greatest).`
  if (shown === 'servers') return [from, '', serversTable(report)].join('\n')
  const plain = '`write-sync` is a plain file written through a 64 KiB buffer: no checksum, no index, no second thread.'
  return [`${from} ${plain}`, '', peersTable(report, shown === 'headlines')].join('\n')
}

function peersTable(report: BenchReport, onlyHeadlines: boolean): string {
  const results = new Results(report.series)
  const found = rows.flatMap(({ caseName, messageBytes, parameter, isHeadline = false }) => {
    if (onlyHeadlines && !isHeadline) return []
    const benchCase = benchCases.find(({ name }) => name === caseName)!
    const cells = columns.map((contender) => {
      const spread = results.spread({ caseName, messageBytes, parameter, contender }, benchCase.headline)
      return spread === undefined ? '' : describeSpread(benchCase.headline, spread)
    })
    if (cells.every((cell) => cell === '')) return []
    return [
      [
        `${benchCase.title}, ${describePoint(benchCase, { messageBytes, parameter })}${percentileOf(benchCase)}`,
        ...cells,
      ],
    ]
  })
  return table(['case', ...columns], found)
}

function percentileOf({ headline }: BenchCase): string {
  return headline === 'p50Us' ? ', p50' : headline === 'p999Us' ? ', p99.9' : ''
}
