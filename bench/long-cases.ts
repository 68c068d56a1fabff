import type { BenchRun } from './bench-run.js'
import { type LongCaseName, longCaseNames, longCaseTitles } from './cases/catalogue.js'
import { pacedRate } from './cases/points.js'
import { describeFigures } from './format.js'
import type { Figures, Job, JobKind, Outcome } from './job.js'
import { runJob } from './run-job.js'

export const gigabyte = 1e9
/** Frames, batch headers and indexes beside the payload; segments that are allocated ahead. */
const diskShare = 1.5

/** The log size for which the figure is stated. */
export const statedGigabytes: Readonly<Record<LongCaseName, number>> = { 'cold-read': 4, 'idle-memory': 10 }

/** Runs the long cases that were named. They have one round: each writes gigabytes, and none is a race with a peer. */
export async function runLongCases(run: BenchRun): Promise<void> {
  if (!run.contenders.includes('bookend')) return
  for (const name of longCaseNames) {
    if (run.options.cases.includes(name)) await runLongCase(run, name)
  }
}

async function runLongCase(run: BenchRun, name: LongCaseName): Promise<void> {
  const gigabytes = run.options.gigabytes ?? statedGigabytes[name]
  const messageBytes = run.options.scale.sizes[0]!
  const messages = Math.ceil((gigabytes * gigabyte) / messageBytes)
  run.progress(`${longCaseTitles[name]}: ${gigabytes} GB of ${messageBytes} B messages`)
  const key = { caseName: name, messageBytes, parameter: 0, contender: 'bookend', messages } as const
  const neededBytes = gigabytes * gigabyte * diskShare
  if (run.workspace.freeBytes() < neededBytes) {
    run.results.record(key, 0, new Error(`not enough disk: needs ${(neededBytes / gigabyte).toFixed(1)} GB free`))
    return
  }
  const directory = run.workspace.create()
  try {
    const figures = await steps[name](run, (kind, overrides) => ({
      kind,
      contender: 'bookend',
      directory,
      packageDirectory: '',
      level: 'process',
      messages,
      messageBytes,
      parameter: 0,
      warmupMessages: 0,
      warmupSeconds: 0,
      seconds: run.options.scale.seconds,
      ratePerSecond: pacedRate,
      mapTtlMs: run.options.mapTtlMs,
      ...(run.options.segmentBytes === undefined ? {} : { segmentBytes: run.options.segmentBytes }),
      ...overrides,
    }))
    run.results.record(key, 0, { figures: { payloadBytes: gigabytes * gigabyte, ...figures } })
    run.progress(`  ${describeFigures(figures)}`)
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error))
    run.results.record(key, 0, failure)
    run.progress(`  failed: ${failure.message}`)
  } finally {
    run.noteJob()
    run.workspace.discard(directory)
  }
}

type MakeJob = (kind: JobKind, overrides?: Partial<Job>) => Job

const steps: Record<LongCaseName, (run: BenchRun, job: MakeJob) => Promise<Figures>> = {
  /** The smoke run leaves the machine's page cache alone: it is shared with whatever else runs there. */
  'cold-read': async (run, job) => {
    await runJob(job('fill'))
    run.workspace.settle()
    const isCold = !run.options.isSmoke && run.workspace.dropPageCache()
    if (!isCold) run.progress('  page cache NOT dropped (needs root and /proc/sys/vm/drop_caches): this read is hot')
    return { ...(await runJob(job('cold-read'))).figures, isCold: isCold ? 1 : 0 }
  },

  /** The same process twice: over a log of one message, and over the full one. */
  'idle-memory': async (run, job) => {
    await runJob(job('fill'))
    run.workspace.settle()
    const small = { directory: run.workspace.create(), messages: 1 }
    await runJob(job('fill', small))
    const empty = await runJob(job('idle-memory', small))
    const full = await runJob(job('idle-memory'))
    const growthBytes = full.figures.totalBytes! - empty.figures.totalBytes!
    return { ...renamed('empty', empty), ...renamed('full', full), growthBytes }
  },
}

function renamed(prefix: string, { figures }: Outcome): Figures {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [`${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`, value]),
  )
}
