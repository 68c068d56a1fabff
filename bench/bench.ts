import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { BenchRun } from './bench-run.js'
import { longCaseNames, stagesCaseName } from './cases/catalogue.js'
import { jobCases } from './cases/job-cases.js'
import { serverCases } from './cases/server-cases.js'
import { movements } from './compare.js'
import {
  type ContenderName,
  contenderSettings,
  isJobPeer,
  isOnServers,
  javaPeers,
  methodNames,
  packagedPeers,
} from './contenders/catalogue.js'
import { htmlPage } from './html-page.js'
import { provideJavaPeer } from './java-packages.js'
import { whyNoJobs } from './jobs/binaries.js'
import { runLongCases } from './long-cases.js'
import { describeMachine } from './machine.js'
import { type BenchOptions, parseOptions } from './options.js'
import { caseOf, loadOutside, type Outside } from './outside.js'
import { providePeer } from './peer-packages.js'
import { Progress } from './progress.js'
import { describeRun, fullReport } from './report.js'
import { type BenchReport, parseReport, reportFormat } from './report-file.js'
import { Results } from './results.js'
import { plansOf, runRounds } from './rounds.js'
import { whyNoServers } from './servers/available.js'
import { runStages, type StageReport } from './stages.js'
import { judge } from './targets.js'
import { provideTools } from './tools.js'
import { Workspace } from './workspace.js'

const productEntry = new URL('../src/index.js', import.meta.url)
const stageJobs = 3
const print = (text: string) => process.stdout.write(text === '' ? '' : `${text}\n`)

/**
 * The whole program. A figure that is not reached is a finding; a benchmark that does not run is a fault.
 * @returns the exit code
 */
export async function runBench(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  provideTools(options.mayInstallTools, print)
  const earlier = options.compare === undefined ? undefined : readReport(options.compare)
  const report = options.from === undefined ? await measure(options) : readReport(options.from)
  const results = new Results(report.series)
  const moved = earlier === undefined ? report.moved : movements(results, earlier.series)
  const told: BenchReport = { ...report, moved, targets: judge(results, report.setUp) }
  print(`\n${fullReport(told)}`)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(told, null, 1)}\n`)
  if (options.html !== undefined) {
    writeFileSync(options.html, htmlPage(told))
    print(`\nwith plots: ${options.html}`)
  }
  const failed = results.failures().length
  if (options.isSmoke) print(`bench smoke: ${results.all().length} series ran, ${failed} failed`)
  return failed > 0 || report.missing.bookend !== undefined ? 1 : 0
}

async function measure(options: BenchOptions): Promise<BenchReport> {
  const outside = await loadOutside(options.outside.contenders, options.outside.workloads)
  const { taking, missing, versions, packageDirectories } = provideContenders(options, outside)
  const workspace = new Workspace(options.directory)
  const onInterrupt = () => {
    workspace.remove()
    process.exit(130)
  }
  process.once('SIGINT', onInterrupt)
  const results = new Results()
  const hasProduct = taking.includes('bookend')
  const hasStages = hasProduct && options.cases.includes(stagesCaseName)
  const longCount = hasProduct ? longCaseNames.filter((name) => options.cases.includes(name)).length : 0
  const jobs = plansOf({ options, contenders: taking, outside }).reduce((sum, plan) => sum + plan.contenders.length, 0)
  const progress = new Progress(jobs * options.rounds + longCount + (hasStages ? stageJobs : 0), print)
  const run: BenchRun = {
    options,
    results,
    workspace,
    contenders: taking,
    outside,
    packageDirectoryOf: (contender) => packageDirectories[contender] ?? '',
    progress: (line) => progress.tell(line),
    noteJob: (count) => progress.note(count),
  }
  const machine = describeMachine(workspace.directory)
  const { isSmoke, rounds, scale, directory } = options
  const theirs = Object.fromEntries(outside.contenders.map(({ name, about }) => [name, about]))
  const settings = Object.fromEntries(taking.map((name) => [name, theirs[name] ?? contenderSettings[name]]))
  const setUp = {
    isFull: scale.isFull,
    isSmoke,
    isCut: scale.messages !== undefined,
    rounds,
    sizes: scale.sizes,
    dataBytes: scale.dataBytes,
    directory,
  }
  const head = { format: reportFormat, machine, setUp, settings, versions, missing } as const
  print(describeRun(head))
  let stages: StageReport[] = []
  try {
    await runRounds(run)
    if (hasStages) stages = await runStages(run)
    await runLongCases(run)
  } finally {
    workspace.remove()
    process.off('SIGINT', onInterrupt)
  }
  const workloads = outside.workloads.map((workload) => {
    const { points: _points, ...shown } = caseOf(workload)
    return shown
  })
  return { ...head, series: results.all(), stages, targets: [], moved: [], workloads }
}

function readReport(path: string): BenchReport {
  return parseReport(readFileSync(path, 'utf8'), path)
}

/** Finds out who can take part. */
function provideContenders({ contenders: asked, cases, mayInstall, isSmoke }: BenchOptions, outside: Outside) {
  const needsServers = serverCases.some(({ name }) => cases.includes(name))
  const needsJobs = jobCases.some(({ name }) => cases.includes(name))
  const contenders = asked.filter((name) => (needsServers || !isOnServers(name)) && (needsJobs || !isJobPeer(name)))
  const missing: Partial<Record<ContenderName, string>> = {}
  const versions: Partial<Record<ContenderName, string>> = {}
  const packageDirectories: Partial<Record<ContenderName, string>> = {}
  for (const name of contenders) {
    if (name === 'bookend' && !existsSync(productEntry))
      missing[name] = 'not built (npm run build), or use --no-product'
    const isNative =
      (methodNames as readonly string[]).includes(name) ||
      ['memcpy', 'file-watch'].includes(name) ||
      name.startsWith('bare')
    if (isNative && process.platform !== 'linux') missing[name] = 'Linux only'
    const whyNot = isOnServers(name) ? whyNoServers(name, isSmoke) : isJobPeer(name) ? whyNoJobs(name) : undefined
    if (whyNot !== undefined) missing[name] = whyNot
    const provide = packagedPeers.includes(name) ? providePeer : javaPeers.includes(name) ? provideJavaPeer : undefined
    if (provide === undefined || (isJobPeer(name) && whyNot !== undefined)) continue
    const peer = provide(name, mayInstall, print)
    if (peer.isAvailable) {
      versions[name] = peer.version
      packageDirectories[name] = peer.directory
    } else {
      missing[name] = peer.reason
    }
  }
  const ours = contenders.filter((name) => missing[name] === undefined)
  const theirs = outside.contenders.map(({ name }) => name as ContenderName)
  return { taking: [...ours, ...theirs], missing, versions, packageDirectories }
}
