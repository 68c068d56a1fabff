/**
 * Where the time of a message goes: a CPU profile of every thread of the product during one kind of work, summed up by
 * file and function. Sampling costs something itself, so these figures say which part is how large, not how fast it is.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchRun } from './bench-run.js'
import { pacedRate } from './cases/points.js'
import type { Job, JobKind } from './job.js'
import { type CallFrame, moduleOf } from './profile-places.js'
import { runJob } from './run-job.js'

const samplingIntervalUs = 200
const messageBytes = 100
const stageKinds = ['append', 'read', 'scan'] as const

/** A part of the work, and the parts it is made of. */
export interface Stage {
  readonly name: string
  readonly nsPerMessage: number
  readonly parts: readonly Stage[]
}

export interface StageReport {
  readonly work: (typeof stageKinds)[number]
  readonly messages: number
  readonly threads: readonly Stage[]
}

/** What a `.cpuprofile` holds, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: CallFrame
  }[]
  /** Microseconds of the system's monotonic clock, from which the deltas count on. */
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export async function runStages(run: BenchRun): Promise<StageReport[]> {
  const reports: StageReport[] = []
  for (const work of stageKinds) {
    run.progress(`stages of ${work}, ${messageBytes} B`)
    const directory = run.workspace.create()
    const profiles = join(directory, 'profiles')
    mkdirSync(profiles)
    const messages = run.options.scale.messages ?? Math.ceil(run.options.scale.dataBytes / messageBytes)
    const jobOf = (kind: JobKind): Job => ({
      kind,
      contender: 'bookend',
      directory: join(directory, 'log'),
      packageDirectory: '',
      level: 'process',
      messages,
      messageBytes,
      parameter: 1,
      warmupMessages: 1,
      warmupSeconds: 0,
      seconds: run.options.scale.seconds,
      ratePerSecond: pacedRate,
    })
    if (work !== 'append') await runJob(jobOf('fill'))
    const profiling = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-interval=${samplingIntervalUs}`]
    const { figures } = await runJob(jobOf(work), profiling)
    const window = { fromUs: figures.fromUs!, toUs: figures.toUs! }
    const threads = readdirSync(profiles).map((name) =>
      threadStage(JSON.parse(readFileSync(join(profiles, name), 'utf8')) as CpuProfile, messages, window),
    )
    const isBusy = ({ nsPerMessage }: Stage) => nsPerMessage >= 1
    reports.push({ work, messages, threads: threads.filter(isBusy).toSorted((a, b) => orderOf(a) - orderOf(b)) })
    run.workspace.discard(directory)
    run.noteJob()
  }
  return reports
}

const threadNames = ['application', 'writer', 'reaper', 'reader'] as const
const orderOf = ({ name }: Stage) => (threadNames as readonly string[]).indexOf(name)

/** Waiting is no work. */
const waits = ['(idle)', '(root)']
const isWait = (functionName: string, url: string) =>
  waits.includes(functionName) || (url.endsWith('/ring/bell.js') && /^wait/.test(functionName))

/**
 * One thread's work, by file and then by function, largest first.
 * @param window starting and ending the process, and the warm-up, are not about messages: only what lies within counts
 */
export function threadStage(
  profile: CpuProfile,
  messages: number,
  window: { readonly fromUs: number; readonly toUs: number },
): Stage {
  const frames = new Map(
    profile.nodes.map(({ id, callFrame }) => [id, { functionName: callFrame.functionName, url: moduleOf(callFrame) }]),
  )
  const files = new Map<string, Map<string, number>>()
  let atUs = profile.startTime
  profile.samples.forEach((id, index) => {
    const { functionName, url } = frames.get(id)!
    atUs += profile.timeDeltas[index]!
    if (atUs < window.fromUs || atUs > window.toUs || isWait(functionName, url)) return
    const file = fileOf(functionName, url)
    const functions = files.get(file) ?? new Map<string, number>()
    files.set(file, functions)
    const name = functionName === '' ? '(top level)' : functionName
    functions.set(name, (functions.get(name) ?? 0) + profile.timeDeltas[index]!)
  })
  const nsOf = (us: number) => (us * 1000) / messages
  const parts = [...files].map(([name, functions]) => {
    const inside = [...functions].map(([each, us]) => ({ name: each, nsPerMessage: nsOf(us), parts: [] }))
    return { name, nsPerMessage: sum(inside), parts: inside.toSorted(largestFirst) }
  })
  return { name: threadOf([...frames.values()]), nsPerMessage: sum(parts), parts: parts.toSorted(largestFirst) }
}

/** Writer and reaper run files of their own, the application's thread the job that is measured; what is neither reads. */
function threadOf(frames: readonly { readonly url: string }[]): string {
  const runs = (part: string) => frames.some(({ url }) => url.includes(part))
  const own = threadNames.find((name) => runs(`/threads/${name}/`) || runs(`/workers/${name}.cjs`))
  return own ?? (runs('/dist/bench/') ? 'application' : 'reader')
}

/** Files of the product by folder and name; what Node and V8 do, by what it is. */
function fileOf(functionName: string, url: string): string {
  if (functionName === '(garbage collector)') return 'garbage collection'
  if (functionName === '(program)') return 'native code'
  const product = /\/dist\/(?:src|workers|bench)\/(.+)\.c?js$/.exec(url)
  if (product !== null) return product[1]!
  if (url === '' || url.startsWith('node:zlib') || url.startsWith('node:fs')) return 'native code'
  return url.startsWith('node:') ? 'node' : 'packages'
}

const largestFirst = (a: Stage, b: Stage) => b.nsPerMessage - a.nsPerMessage

function sum(stages: readonly Stage[]): number {
  return stages.reduce((total, { nsPerMessage }) => total + nsPerMessage, 0)
}
