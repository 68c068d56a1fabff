/** The table of docs/jetstream.md. */
import type { BenchCase } from '../cases/bench-case.js'
import { serverCases } from '../cases/server-cases.js'
import { type ContenderName, serverNames } from '../contenders/catalogue.js'
import { describePoint, describeSpread, digits, table } from '../format.js'
import type { BenchReport } from '../report-file.js'
import { Results, type SeriesKey } from '../results.js'

const columns: readonly ContenderName[] = ['bookend', ...serverNames]
const nsPerUs = 1000

/** Every case of a run that was measured, each with what a message cost the processors. */
export function serversTable({ series }: Pick<BenchReport, 'series'>): string {
  const results = new Results(series)
  const rows = serverCases.flatMap((benchCase) =>
    [0, 1].flatMap((parameter) => {
      const point = { messageBytes: 100, parameter }
      const keys = columns.map((contender) => ({ caseName: benchCase.name, contender, ...point }))
      if (keys.every((key) => results.get(key) === undefined)) return []
      return [
        [
          `${benchCase.title}, ${describePoint(benchCase, point)}`,
          ...keys.map((key) => headline(results, benchCase, key)),
        ],
        ['processor time, µs: program + servers', ...keys.map((key) => cost(results, key))],
      ]
    }),
  )
  return table(['', ...columns], rows)
}

function headline(results: Results, { headline: figure }: BenchCase, key: SeriesKey): string {
  const spread = results.spread(key, figure)
  if (spread === undefined) return ''
  const tail = figure === 'p50Us' ? results.spread(key, 'p99Us') : undefined
  return `${describeSpread(figure, spread)}${tail === undefined ? '' : `, p99 ${describeSpread('p99Us', tail)}`}`
}

function cost(results: Results, key: SeriesKey): string {
  const [own, servers] = (['cpuNsPerMessage', 'serverCpuNsPerMessage'] as const).map((name) =>
    results.spread(key, name),
  )
  if (own === undefined || servers === undefined) return ''
  const us = ({ median }: { median: number }) => digits(median / nsPerUs)
  return servers.median === 0 ? us(own) : `${us(own)} + ${us(servers)}`
}
