import type { BenchRun } from './bench-run.js'
import { type LongCaseName, longCaseNames, longCaseTitles } from './cases/catalogue.js'
import { describeFigures } from './format.js'
import type { Figures, Job, JobKind } from './job.js'
import { runJob, runJobAndKill } from './run-job.js'

export const gigabyte = 1e9
/** Frames, batch headers and indexes beside the payload; segments that are allocated ahead. */
const diskShare = 1.5

/** The log size for which the figure is stated. */
export const statedGigabytes: Readonly<Record<LongCaseName, number>> = {
  'cold-read': 4,
  'idle-memory': 10,
  recovery: 10,
}

/** Runs the long cases that were named. They have one round: each writes gigabytes, and none is a race with a peer. */
export async function runLongCases(run: BenchRun): Promise<void> {
  if (!run.contenders.includes('bookend')) return
  for (const name of longCaseNames) {
    if (run.options.cases.includes(name)) await runLongCase(run, name)
  }
}

async function runLongCase(run: BenchRun, name: LongCaseName): Promise<void> {
  const gigabytes = run.options.gigabytes ?? statedGigabytes[name]
  const messageBytes = run.options.sizes[0]!
  const messages = Math.ceil((gigabytes * gigabyte) / messageBytes)
  run.progress(`${longCaseTitles[name]}: ${gigabytes} GB of ${messageBytes} B messages`)
  const key = { caseName: name, messageBytes, contender: 'bookend', messages } as const
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
      messages,
      messageBytes,
      warmupMessages: 0,
      mapTtlMs: run.options.mapTtlMs,
      ...(run.options.segmentBytes === undefined ? {} : { segmentBytes: run.options.segmentBytes }),
      ...overrides,
    }))
    run.results.record(key, 0, { payloadBytes: gigabytes * gigabyte, ...figures })
    run.progress(`  ${describeFigures(figures)}`)
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error))
    run.results.record(key, 0, failure)
    run.progress(`  failed: ${failure.message}`)
  } finally {
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
    return { ...(await runJob(job('cold-read'))), isCold: isCold ? 1 : 0 }
  },

  /** The same process twice: over a log of one message, and over the full one. */
  'idle-memory': async (run, job) => {
    await runJob(job('fill'))
    run.workspace.settle()
    const small = { directory: run.workspace.create(), messages: 1 }
    await runJob(job('fill', small))
    const empty = await runJob(job('idle', small))
    const full = await runJob(job('idle'))
    return { ...renamed('empty', empty), ...renamed('full', full), growthBytes: full.totalBytes! - empty.totalBytes! }
  },

  /** No settling in between: after a crash the dirty pages are still being written while the log is opened. */
  recovery: async (_run, job) => {
    await runJobAndKill(job('fill-and-wait'))
    return runJob(job('open'))
  },
}

function renamed(prefix: string, figures: Figures): Figures {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [`${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`, value]),
  )
}
