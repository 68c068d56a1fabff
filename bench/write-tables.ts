/**
 * Writes the figures of a run into documents, between `<!-- bench:begin -->` and `<!-- bench:end -->`; between `<!-- bench:begin headlines -->` and
 * the end the few that the README shows, between `<!-- bench:begin servers -->` and the end those on NATS servers: `npm run bench:tables -- results.json README.md docs/benchmarks.md`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { figuresTable, type Shown } from './figures-table.js'
import { parseReport } from './report-file.js'

const between = /(<!-- bench:begin(?: (headlines|servers))? -->\n)[\s\S]*?(<!-- bench:end -->)/

const [json, ...documents] = process.argv.slice(2)
if (json === undefined || documents.length === 0) throw new Error('usage: write-tables RESULTS.json DOCUMENT...')
const report = parseReport(readFileSync(json, 'utf8'), json)
for (const path of documents) {
  const text = readFileSync(path, 'utf8')
  if (!between.test(text)) throw new Error(`${path} has no place between <!-- bench:begin --> and <!-- bench:end -->`)
  writeFileSync(
    path,
    text.replace(
      between,
      (_all, begin: string, shown: Shown | undefined, end: string) =>
        `${begin}${figuresTable(report, shown ?? 'all')}\n${end}`,
    ),
  )
}
