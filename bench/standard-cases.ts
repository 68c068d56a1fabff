import type { BenchRun } from './bench-run.js'
import { type StandardCase, standardCases } from './cases/catalogue.js'
import type { ContenderName } from './contenders/catalogue.js'
import { describeBytes, describeFigure } from './format.js'
import type { Figures, Job } from './job.js'
import { warmUpMemory } from './memory-warmup.js'
import { runJob } from './run-job.js'

const mebibyte = 1024 * 1024
const warmupShare = 0.1
const maxWarmupMessages = 200_000

/** Runs the chosen standard cases: for each size, round after round, everybody in turn. */
export async function runStandardCases(run: BenchRun): Promise<void> {
  for (const standardCase of standardCases) {
    if (!run.options.cases.includes(standardCase.name)) continue
    for (const messageBytes of run.options.sizes) await runCase(run, standardCase, messageBytes)
  }
}

/** Messages measured in one case, and done before as a warm-up. */
export function workloadOf(
  run: Pick<BenchRun, 'options'>,
  standardCase: Pick<StandardCase, 'maxMessages'>,
  messageBytes: number,
): { messages: number; warmupMessages: number } {
  const wanted = run.options.messages ?? Math.ceil((run.options.dataMib * mebibyte) / messageBytes)
  const messages = Math.min(wanted, standardCase.maxMessages)
  return { messages, warmupMessages: Math.min(Math.ceil(messages * warmupShare), maxWarmupMessages) }
}

async function runCase(run: BenchRun, standardCase: StandardCase, messageBytes: number): Promise<void> {
  const { workspace, progress } = run
  const workload = workloadOf(run, standardCase, messageBytes)
  const taking = run.contenders.filter((name) => standardCase.contenders.includes(name))
  if (taking.length === 0) return
  progress(`${standardCase.title}, ${describeBytes(messageBytes)}: ${workload.messages.toLocaleString('en')} messages`)

  const jobFor = (kind: Job['kind'], contender: ContenderName, directory: string): Job => ({
    kind,
    contender,
    directory,
    packageDirectory: run.packageDirectoryOf(contender),
    messageBytes,
    ...workload,
    ...(run.options.segmentBytes === undefined ? {} : { segmentBytes: run.options.segmentBytes }),
  })
  const record = (contender: ContenderName, round: number, outcome: Figures | Error) => {
    const key = { caseName: standardCase.name, messageBytes, contender, messages: workload.messages }
    run.results.record(key, round, outcome)
    const told =
      outcome instanceof Error ? `failed: ${outcome.message}` : describeFigure(standardCase.headline, outcome)
    progress(`  round ${round + 1}/${run.options.rounds}  ${contender.padEnd(15)} ${told}`)
  }

  const filled = new Map<ContenderName, string>()
  const failed = new Set<ContenderName>()
  if (standardCase.needsData) {
    for (const contender of taking) {
      const directory = workspace.create()
      filled.set(contender, directory)
      const outcome = await attempt(() => runJob(jobFor('fill', contender, directory)))
      if (outcome instanceof Error) {
        failed.add(contender)
        record(contender, 0, outcome)
      }
    }
    workspace.settle()
  }

  for (let round = 0; round < run.options.rounds; round++) {
    for (const contender of inTurn(taking, round)) {
      if (failed.has(contender)) continue
      const directory = filled.get(contender) ?? workspace.create()
      if (!run.options.isSmoke) warmUpMemory(workload.messages + workload.warmupMessages, messageBytes)
      const outcome = await attempt(() => runJob(jobFor(standardCase.name, contender, directory)))
      if (!standardCase.needsData) workspace.discard(directory)
      // What failed once is not tried again: the round's figure is missing anyway, and a hang would cost minutes.
      if (outcome instanceof Error) failed.add(contender)
      record(contender, round, outcome)
    }
  }
  for (const directory of filled.values()) workspace.discard(directory)
}

/** Every other round runs backwards, so that nobody always comes after the same neighbour. */
function inTurn<T>(contenders: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? contenders : contenders.toReversed()
}

async function attempt(work: () => Promise<Figures>): Promise<Figures | Error> {
  try {
    return await work()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
