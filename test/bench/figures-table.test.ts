import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { BenchReport } from '../../bench/report-file.js'

const writeTables = fileURLToPath(new URL('../../dist/bench/write-tables.js', import.meta.url))

it('figures are written between the marks, and nothing else is touched', () => {
  const directory = mkdtempSync(join(os.tmpdir(), 'bench-tables-'))
  const key = { caseName: 'append', messageBytes: 100, parameter: 0, messages: 1 }
  const report = {
    format: 2,
    machine: { cpu: 'C', cores: 2, kernel: 'K', fileSystem: 'F', node: 'v1' },
    setUp: { rounds: 3 },
    series: [
      { ...key, contender: 'bookend', rounds: [{ messagesPerSecond: 7e6 }, { messagesPerSecond: 8e6 }] },
      { ...key, contender: 'lmdb', rounds: [{ messagesPerSecond: 1e6 }, null] },
    ],
  } as unknown as BenchReport
  const json = join(directory, 'r.json')
  const document = join(directory, 'd.md')
  try {
    writeFileSync(json, JSON.stringify(report))
    writeFileSync(document, 'before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter $1\n')
    execFileSync(process.execPath, [writeTables, json, document])
    const text = readFileSync(document, 'utf8')
    expect(text).toMatch(
      /^before\n<!-- bench:begin -->\nC, 2 cores, K, F, Node v1; [\s\S]*<!-- bench:end -->\nafter \$1\n$/,
    )
    expect(text).toMatch(/\| offer until published, 100 B +\| 7\.50 M\/s \(7\.00-8\.00\) +\| +\| 1\.00 M\/s +\|/)
    expect(text).not.toContain('old')
    const headlines = 'before\n<!-- bench:begin headlines -->\nold\n<!-- bench:end -->\n'
    const series = [...report.series, { ...report.series[0]!, messageBytes: 1024 }]
    writeFileSync(json, JSON.stringify({ ...report, series }))
    for (const [text, rows] of [
      [headlines, 1],
      [headlines.replace(' headlines', ''), 2],
    ] as const) {
      writeFileSync(document, text)
      execFileSync(process.execPath, [writeTables, json, document])
      expect(readFileSync(document, 'utf8').match(/^\| offer /gm)).toHaveLength(rows)
    }
    const onServers = { ...key, caseName: 'servers-append', contender: 'jetstream-r1' }
    const cost = { messagesPerSecond: 30_000, cpuNsPerMessage: 5_000, serverCpuNsPerMessage: 7_000 }
    writeFileSync(json, JSON.stringify({ ...report, series: [{ ...onServers, rounds: [cost] }] }))
    writeFileSync(document, '<!-- bench:begin servers -->\n<!-- bench:end -->\n')
    execFileSync(process.execPath, [writeTables, json, document])
    const told = readFileSync(document, 'utf8')
    expect(told).toMatch(/^\| offer until stored, 100 B, level process +\| +\| 30\.0 k\/s +\|/m)
    expect(told).toMatch(/^\| processor time, µs: program \+ servers +\| +\| 5\.00 \+ 7\.00 +\|/m)
    writeFileSync(document, 'no marks')
    expect(() => execFileSync(process.execPath, [writeTables, json, document], { stdio: 'pipe' })).toThrow('no place')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
