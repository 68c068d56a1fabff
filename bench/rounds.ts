import type { BenchRun } from './bench-run.js'
import type { BenchCase, Point } from './cases/bench-case.js'
import { benchCases } from './cases/catalogue.js'
import { pacedRate } from './cases/points.js'
import { type ContenderName, slowPeers } from './contenders/catalogue.js'
import { Unavailable } from './contenders/contender.js'
import { describeFigure, describePoint } from './format.js'
import type { Job, JobKind, Outcome } from './job.js'
import { warmUpMemory } from './memory-warmup.js'
import { caseOf, type Outside } from './outside.js'
import { runJob, runJobAndKill } from './run-job.js'

const warmupShare = 0.1
/** Appends leave their messages behind, so they are not done again for a second: they are warmed up by as many as are measured. */
const appends: readonly JobKind[] = ['append', 'append-batches', 'append-topics', 'threads', 'threads-json']
const maxWarmupMessages = 1_000_000
/** Jobs that touch less than this are not slowed by memory that the host has taken away. */
const warmedUpBytes = 32 * 1024 * 1024
const slowShare = 0.25
/** Cases whose data must be the same for everybody, slow or not. */
const sameForAll: readonly JobKind[] = ['open', 'in-flight', 'latency', 'queue', 'queue-backlog']
/** Backlogs beyond this would take peers hours to write. */
const mostPeerBacklogBytes = 1e9
/** Frames, batch headers, trees and indexes beside the payload; segments that are allocated ahead. */
const diskShare = 2.5

/** One point of one case, with everybody who takes part. */
export interface Plan {
  readonly benchCase: BenchCase
  readonly point: Point
  readonly contenders: readonly ContenderName[]
}

/** What will run, in order. */
export function plansOf({
  options,
  contenders,
  outside,
}: Pick<BenchRun, 'options' | 'contenders' | 'outside'>): Plan[] {
  const takesPart = (name: ContenderName, benchCase: BenchCase) =>
    benchCase.contenders.includes(name) ||
    outside.contenders.some((each) => each.name === name && each.cases.includes(benchCase.name))
  return [...benchCases.filter(({ name }) => options.cases.includes(name)), ...outside.workloads.map(caseOf)]
    .flatMap((benchCase) =>
      pointsOf(benchCase, options).map((point) => ({
        benchCase,
        point,
        contenders: contenders.filter((name) => takesPart(name, benchCase) && canHave(benchCase, point, name)),
      })),
    )
    .filter((plan) => plan.contenders.length > 0)
}

/** One point proves that a case runs. */
function pointsOf(benchCase: BenchCase, { scale, isSmoke }: BenchRun['options']): readonly Point[] {
  const points = benchCase.points(scale)
  return isSmoke ? points.slice(0, 1) : points
}

function canHave({ parameter }: BenchCase, point: Point, contender: ContenderName): boolean {
  return contender === 'bookend' || parameter !== 'backlog' || point.parameter <= mostPeerBacklogBytes
}

/** Messages that one contender gets, and how many of them go before as a warm-up. */
export function workloadOf(
  plan: Plan,
  contender: ContenderName,
  isFull: boolean,
): { messages: number; warmupMessages: number } {
  const { benchCase, point } = plan
  const isSame = sameForAll.includes(benchCase.kind) || benchCase.memoryBytes !== undefined
  const isSlow = slowPeers.includes(contender) && !isFull && !isSame
  const messages = isSlow ? Math.ceil(point.messages * slowShare) : point.messages
  const isWhole = appends.includes(benchCase.kind) && benchCase.memoryBytes === undefined
  const warmupMessages = isWhole ? messages : Math.min(Math.ceil(messages * warmupShare), maxWarmupMessages)
  return { messages, warmupMessages }
}

/** Runs the chosen cases: for each point, round after round, everybody in turn. */
export async function runRounds(run: BenchRun): Promise<void> {
  for (const plan of plansOf(run)) await runPlan(run, plan)
}

async function runPlan(run: BenchRun, plan: Plan): Promise<void> {
  const { benchCase, point } = plan
  const { workspace, options } = run
  run.progress(`${benchCase.title}, ${describePoint(benchCase, point)}`)
  const filled = new Map<ContenderName, string>()
  const done = new Set<ContenderName>()
  const keyOf = (contender: ContenderName) => ({
    caseName: benchCase.name,
    messageBytes: point.messageBytes,
    parameter: point.parameter,
    contender,
    messages: workloadOf(plan, contender, options.scale.isFull).messages,
  })
  const jobFor = (kind: JobKind, contender: ContenderName, directory: string): Job => ({
    kind,
    contender,
    directory,
    packageDirectory: run.packageDirectoryOf(contender),
    ...modulesOf(run.outside, contender, benchCase),
    level: benchCase.level ?? 'process',
    messageBytes: point.messageBytes,
    parameter: point.parameter,
    ...workloadOf(plan, contender, options.scale.isFull),
    warmupSeconds: options.scale.warmupSeconds,
    seconds: options.scale.seconds,
    ratePerSecond: benchCase.ratePerSecond ?? pacedRate,
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
    ...(benchCase.memoryBytes === undefined ? {} : { memoryBytes: benchCase.memoryBytes }),
  })
  /** Writes what has to be there before; killed on the way out where that is the case. */
  const fill = async (contender: ContenderName, directory: string) => {
    const job = jobFor(benchCase.fill!.kind, contender, directory)
    const neededBytes = (point.before ?? job.messages) * point.messageBytes * diskShare
    if (workspace.freeBytes() < neededBytes) throw new Unavailable(`needs ${describeGigabytes(neededBytes)} of disk`)
    const filling = { ...job, messages: point.before ?? job.messages, warmupMessages: 0 }
    await (filling.kind === 'fill-and-wait' ? runJobAndKill(filling) : runJob(filling))
  }
  const record = (contender: ContenderName, round: number, outcome: Outcome | Error) => {
    run.noteJob()
    const where = `  round ${round + 1}/${options.rounds}  ${contender.padEnd(15)}`
    if (outcome instanceof Unavailable) {
      run.results.leaveOut(keyOf(contender), outcome.message)
      run.progress(`${where} takes no part: ${outcome.message}`)
    } else {
      run.results.record(keyOf(contender), round, outcome)
      run.progress(
        `${where} ${outcome instanceof Error ? `failed: ${outcome.message}` : describeFigure(benchCase.headline, outcome.figures)}`,
      )
    }
    // What failed once is not tried again: the round's figure is missing anyway, and a hang would cost minutes.
    if (outcome instanceof Error) {
      done.add(contender)
      run.noteJob(options.rounds - round - 1)
    }
  }

  if (benchCase.fill?.when === 'once') {
    for (const contender of plan.contenders) {
      const directory = workspace.create()
      filled.set(contender, directory)
      const outcome = await attempt(() => fill(contender, directory))
      if (outcome instanceof Error) record(contender, 0, outcome)
    }
    // Appends do not read what was there before, but where it fills most of the memory, every page they take costs the kernel more:
    // measured, the same with 10 GB of any other file in the page cache. That is not what the case is about.
    if (!appends.includes(benchCase.kind) || options.isSmoke || !workspace.dropPageCache()) workspace.settle()
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of inTurn(plan.contenders, round)) {
      if (done.has(contender)) continue
      const kept = filled.get(contender)
      const directory = kept ?? workspace.create()
      const job = jobFor(benchCase.kind, contender, directory)
      const outcome = await attempt(async () => {
        if (benchCase.fill !== undefined && kept === undefined) await fill(contender, directory)
        // What is cached already would come from outside of the job's own memory.
        if (benchCase.memoryBytes !== undefined && !options.isSmoke && !workspace.dropPageCache())
          throw new Unavailable('the page cache cannot be dropped: needs root')
        const touchedBytes = (job.messages + job.warmupMessages) * job.messageBytes
        if (!options.isSmoke && touchedBytes > warmedUpBytes)
          warmUpMemory(job.messages + job.warmupMessages, job.messageBytes)
        return runJob(job)
      })
      if (kept === undefined) workspace.discard(directory)
      record(contender, round, outcome)
    }
  }
  for (const directory of filled.values()) workspace.discard(directory)
}

/** Where the code is that came from outside. */
function modulesOf(outside: Outside, contender: ContenderName, { name }: BenchCase): Partial<Job> {
  const theirs = outside.contenders.find((each) => each.name === contender)?.url
  const workload = outside.workloads.find((each) => each.name === name)?.url
  return {
    ...(theirs === undefined ? {} : { contenderModule: theirs }),
    ...(workload === undefined ? {} : { workloadModule: workload }),
  }
}

/** Every other round runs backwards, so that nobody always comes after the same neighbour. */
function inTurn<T>(contenders: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? contenders : contenders.toReversed()
}

async function attempt<T>(work: () => Promise<T>): Promise<T | Error> {
  try {
    return await work()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function describeGigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
