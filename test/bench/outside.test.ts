import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { BenchReport } from '../../bench/report-file.js'
import { snippetsOf } from '../snippets/snippet.js'

const main = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url))
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bookend-outside-'))
  // The modules of the page itself.
  for (const { name, text } of snippetsOf('docs/own-benchmarks.md', 'js')) writeFileSync(join(folder, name!), text)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function bench(...args: string[]): Promise<{ report: BenchReport; page: string; out: string }> {
  const files = ['--json', 'report.json', '--html', 'page.html', '--dir', folder]
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--smoke', ...files, ...args], { cwd: folder })
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { report: JSON.parse(read('report.json')) as BenchReport, page: read('page.html'), out: stdout }
}

it('a contender from outside takes part in its cases, with its ratio and a colour of its own', async () => {
  const args = ['--contender', 'mine.mjs', '--only', 'append,latency,read,scan', '--peers', 'write-sync']
  const { report, page, out } = await bench(...args)
  const theirs = report.series.filter(({ contender }) => (contender as string) === 'lines')
  expect(theirs.map(({ caseName }) => caseName)).toEqual(['append', 'latency', 'read'])
  expect(theirs.every(({ rounds, failure }) => failure === undefined && rounds[0] !== null)).toBe(true)
  expect(out).toMatch(/lines: a line of hexadecimal digits/)
  expect(page).toContain('.lines { background: var(--lines); }')
  expect(page).toMatch(/<i class="swatch lines"><\/i>lines <b>x\d/)
  expect(page).toContain('<b>write-sync</b> a plain file through a buffer')
  expect(page).not.toContain('median of 1 rounds')
})

it('a workload from outside is a case, also when its report is shown anew', async () => {
  const { report, out } = await bench('--workload', 'checkout.mjs', '--peers', 'write-sync')
  expect(report.series.map(({ caseName, contender }) => [caseName, contender])).toEqual([['checkout', 'bookend']])
  expect(out).toContain('## append, then read it back: checkoutsPerSecond, more is better')
  writeFileSync(join(folder, 'earlier.json'), JSON.stringify(report))
  const again = await bench('--from', 'earlier.json')
  expect(again.out).toContain('## append, then read it back')
  expect(again.page).toContain('append, then read it back')
})

it.each([
  ["export const name = 'lmdb'", 'is named lmdb, and so is another one'],
  ["export const name = 'UPPER'", 'does not export name'],
  ["export const name = 'a', about = '', cases = ['nothing']", 'takes part in nothing, which is no case'],
  ["export const name = 'a', about = '', cases = ['append']", 'does not export openStore or openQueue'],
])('a module that is not whole is refused before anything is measured: %s', async (text, problem) => {
  writeFileSync(join(folder, 'wrong.mjs'), text)
  await expect(bench('--contender', 'wrong.mjs', '--only', 'append')).rejects.toThrow(problem)
})
