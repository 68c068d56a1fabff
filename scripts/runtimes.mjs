#!/usr/bin/env node
// What other runtimes than Node.js can do with a log: own one, or read one. They come from npm, in their newest release, into the user's
// cache and not among the packages of the project: together they have 200 MB. Needs the built product.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { json, open } from '../dist/src/index.js'

/** What docs/install.md says of each. */
const runtimes = [
  { name: 'bun', args: [], owns: true, reads: true },
  { name: 'deno', args: ['run', '-A'], owns: false, reads: true },
]

const root = fileURLToPath(new URL('../', import.meta.url))
const programs = join(root, 'test', 'fixtures', 'runtimes')
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'bookend', 'runtimes')
mkdirSync(cache, { recursive: true })
writeFileSync(join(cache, 'package.json'), '{ "private": true }\n')
const install = ['install', '--no-audit', '--no-fund', ...runtimes.map(({ name }) => `${name}@latest`)]
if (spawnSync('npm', install, { cwd: cache, stdio: 'inherit' }).status !== 0) process.exit(1)

const folder = mkdtempSync(join(tmpdir(), 'bookend-runtimes-'))
try {
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'bookend'), 'dir')
  // Packages are looked for where a program is, so the programs go there too.
  cpSync(programs, folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  const log = await open(join(folder, 'by-node'), { readers: 1 })
  await log.topic('numbers', { codec: json }).appendMany([{ number: 1 }, { number: 2 }, { number: 3 }])
  await log.close()
  for (const { name, args, ...expected } of runtimes) {
    const command = join(cache, 'node_modules', '.bin', name)
    const { stdout: version } = spawnSync(command, ['--version'], { encoding: 'utf8' })
    console.log(`\n${name} ${version.split('\n')[0].replace(`${name} `, '')}`)
    check('reads', expected.reads, run(command, [...args, 'read.mjs', join(folder, 'by-node')]))
    check('owns', expected.owns, run(command, [...args, 'write.mjs', join(folder, `by-${name}`)]))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(command, args) {
  return spawnSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 120_000 })
}

function check(what, isExpected, { status, stdout, stderr }) {
  const can = status === 0
  console.log(
    `  ${what}: ${can ? stdout.trim() : `no (${/.*(Error|error).*/.exec(stderr)?.[0].trim() ?? `exit ${status}`})`}`,
  )
  if (can === isExpected) return
  console.log(`  docs/install.md says otherwise`)
  process.exitCode = 1
}
