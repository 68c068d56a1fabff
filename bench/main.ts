/** `npm run bench`: the product against its peers, in one run. See bench/README.md for how it measures. */
import { existsSync, writeFileSync } from 'node:fs'
import type { BenchRun } from './bench-run.js'
import { type ContenderName, packagedPeers } from './contenders/catalogue.js'
import { runLongCases } from './long-cases.js'
import { describeMachine } from './machine.js'
import { type BenchOptions, parseOptions } from './options.js'
import { providePeer } from './peer-packages.js'
import {
  caseReport,
  contenderReport,
  failureReport,
  latencyReport,
  longCaseReport,
  machineReport,
  targetReport,
} from './report.js'
import { Results } from './results.js'
import { runStandardCases } from './standard-cases.js'
import { judge } from './targets.js'
import { Workspace } from './workspace.js'

const productEntry = new URL('../src/index.js', import.meta.url)
const print = (text: string) => process.stdout.write(text === '' ? '' : `${text}\n`)

const options = parseOptions(process.argv.slice(2))
const { taking, missing, versions, packageDirectories } = provideContenders(options)
const workspace = new Workspace(options.directory)
process.once('SIGINT', () => {
  workspace.remove()
  process.exit(130)
})

const machine = describeMachine(workspace.directory)
print(machineReport(machine, options))
print(contenderReport(taking, versions, missing))

const results = new Results()
const run: BenchRun = {
  options,
  results,
  workspace,
  contenders: taking,
  packageDirectoryOf: (contender) => packageDirectories.get(contender) ?? '',
  progress: print,
}
try {
  await runStandardCases(run)
  await runLongCases(run)
} finally {
  workspace.remove()
}

const targets = judge(results, Number(process.versions.node.split('.')[0]))
const sections = [caseReport(results, options), latencyReport(results, options), longCaseReport(results, options)]
for (const section of sections) if (section !== '') print(`\n${section}`)
// A smoke run is too short to say anything about speed: it must not even look as if it did.
if (!options.isSmoke) print(`\n${targetReport(targets)}`)
print(failureReport(results))
if (options.json !== undefined) {
  const report = { machine, options, versions: Object.fromEntries(versions), series: results.all(), targets }
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
}
if (options.isSmoke) print(`bench smoke: ${results.all().length} cases ran, ${results.failures().length} failed`)
// A figure that is not reached is a finding, a benchmark that does not run is a fault.
if (results.failures().length > 0 || missing.has('bookend')) process.exitCode = 1

/** Finds out who can take part. */
function provideContenders({ contenders, mayInstall }: BenchOptions) {
  const missing = new Map<ContenderName, string>()
  const versions = new Map<ContenderName, string>()
  const packageDirectories = new Map<ContenderName, string>()
  for (const name of contenders) {
    if (name === 'bookend' && !existsSync(productEntry))
      missing.set(name, 'not built (npm run build), or use --no-product')
    if (!packagedPeers.includes(name)) continue
    const peer = providePeer(name, mayInstall, print)
    if (peer.isAvailable) {
      versions.set(name, peer.version)
      packageDirectories.set(name, peer.directory)
    } else {
      missing.set(name, peer.reason)
    }
  }
  return { taking: contenders.filter((name) => !missing.has(name)), missing, versions, packageDirectories }
}
