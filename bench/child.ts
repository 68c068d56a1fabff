/** The process in which one job runs: told by a message, answers with one, and ends. */
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  measureAppend,
  measureAppendBatches,
  measureAppendTopics,
  measureInFlight,
  measureLatency,
  measurePaced,
} from './cases/append.js'
import { measureColdRead } from './cases/cold-read.js'
import { measureGet, measureGetMany, measureMixed, measureRead, measureReadBatches, measureScan } from './cases/read.js'
import { javaPeers, openStore } from './contenders/catalogue.js'
import { type Store, type StoreOptions, Unavailable } from './contenders/contender.js'
import type { Answer, Job, JobKind, Outcome } from './job.js'
import { runWorkload } from './outside.js'
import { makeValues } from './values.js'

/** Longer than any parent waits before it kills. */
const untilKilledMs = 60 * 60_000

/** Cases that need one open store of any contender. */
const onStore: Partial<Record<JobKind, (store: Store, job: Job) => Promise<Outcome>>> = {
  append: measureAppend,
  'append-batches': measureAppendBatches,
  'append-topics': measureAppendTopics,
  'in-flight': measureInFlight,
  latency: measureLatency,
  paced: measurePaced,
  read: measureRead,
  'read-batches': measureReadBatches,
  scan: measureScan,
  get: measureGet,
  'get-many': measureGetMany,
  mixed: measureMixed,
  'cold-read': measureColdRead,
  workload: async (store, { workloadModule, messages, messageBytes }) => ({
    figures: await runWorkload(workloadModule!, store, messages, messageBytes),
  }),
  fill,
  'fill-and-wait': async (store, job) => {
    answer(await fill(store, job))
    await sleep(untilKilledMs)
    throw new Error('nobody killed this process')
  },
}

/** Cases that open what they need; loaded when asked for, since some need the product and peers must run without it. */
const onTheirOwn: Partial<Record<JobKind, (job: Job, options: StoreOptions) => Promise<Outcome>>> = {
  follow: async (job) => (await import('./cases/follow.js')).measureFollow(job),
  open: async (job, options) => (await import('./cases/open.js')).measureOpen(job, options),
  idle: async (job, options) => (await import('./cases/idle.js')).measureIdle(job, options),
  'idle-memory': async (job) => (await import('./cases/idle.js')).measureIdleMemory(job),
  queue: async (job, options) => (await import('./cases/consume.js')).measureQueue(job, options),
  'queue-backlog': async (job, options) => (await import('./cases/consume.js')).measureQueueBacklog(job, options),
  'append-expected': async (job, options) =>
    (await import('./conditions/cases.js')).measureConditions(job, options, 'expected'),
  'append-version': async (job, options) =>
    (await import('./conditions/cases.js')).measureConditions(job, options, 'versioned'),
  'append-numbered': async (job, options) =>
    (await import('./conditions/cases.js')).measureConditions(job, options, 'numbered'),
  'append-id': async (job, options) => (await import('./conditions/cases.js')).measureConditions(job, options, 'named'),
  transact: async (job, options) => (await import('./conditions/cases.js')).measureConditions(job, options, 'transact'),
  'fill-finding': async (job, options) => (await import('./finding/cases.js')).fillFinding(job, options),
  'fill-state': async (job, options) => (await import('./finding/entries.js')).fillState(job, options),
  entries: async (job, options) => (await import('./finding/entries.js')).measureEntries(job, options),
  'find-key': async (job, options) => (await import('./finding/cases.js')).measureFindKey(job, options),
  'find-time': async (job, options) => (await import('./finding/cases.js')).measureFindTime(job, options),
  'find-group': async (job) => (await import('./finding/cases.js')).measureFindGroup(job),
  'find-cost': async (job) => (await import('./finding/cases.js')).measureFindCost(job),
  'find-append': async (job) => (await import('./finding/cases.js')).measureFindAppend(job),
  'fill-queue': async (job, options) => (await import('./cases/consume.js')).fillQueue(job, options),
  'fan-out': async (job) => (await import('./cases/consume.js')).measureFanOut(job),
  process: async (job) => (await import('./cases/consume.js')).measureProcess(job),
  'process-paced': async (job) => (await import('./cases/consume.js')).measureProcessPaced(job),
  threads: async (job, options) => (await import('./cases/threads.js')).measureThreads(job, options),
  'threads-json': async (job, options) => (await import('./cases/threads.js')).measureThreadsJson(job, options),
  'threads-lone': async (job, options) => (await import('./cases/threads.js')).measureThreadsLone(job, options),
  'threads-fair': async (job, options) => (await import('./cases/threads.js')).measureThreadsFair(job, options),
  'threads-read': async (job, options) => (await import('./cases/threads.js')).measureThreadsRead(job, options),
  'threads-consume': async (job, options) => (await import('./cases/threads.js')).measureThreadsConsume(job, options),
  follower: async (job) => (await import('./cases/followers.js')).measureFollower(job),
  'follower-idle': async (job) => (await import('./cases/followers.js')).measureFollowerIdle(job),
  followers: async (job) => (await import('./cases/followers.js')).measureFollowerCost(job),
  jobs: onJobs,
  'jobs-delayed': onJobs,
  'jobs-late': onJobs,
  'jobs-pending': async (job) => (await import('./jobs/pending.js')).measurePending(job),
  'fill-pending': async (job) => (await import('./jobs/pending.js')).fillPending(job),
  'servers-append': onServers,
  'servers-in-flight': onServers,
  'servers-latency': onServers,
  'servers-read': onServers,
  'servers-consume': onServers,
  'servers-follow': onServers,
  'transfer-file': async (job) => (await import('./cases/transfer.js')).measureTransfer(job),
  'transfer-unix': async (job) => (await import('./cases/transfer.js')).measureTransfer(job),
  'transfer-tcp': async (job) => (await import('./cases/transfer.js')).measureTransfer(job),
}

async function run(job: Job): Promise<Outcome> {
  if (javaPeers.includes(job.contender)) return (await import('./contenders/java.js')).measureJava(job)
  const { directory, packageDirectory, level, segmentBytes, contenderModule } = job
  const options: StoreOptions = {
    directory,
    packageDirectory,
    level,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(contenderModule === undefined ? {} : { module: contenderModule }),
    ...readersFor(job),
  }
  const alone = onTheirOwn[job.kind]
  if (alone !== undefined) return alone(job, options)
  const store = await openStore(job.contender, options)
  const outcome = await onStore[job.kind]!(store, job)
  await store.close()
  return outcome
}

/** Nothing: as many as by default, which leaves a core to the application. */
function readersFor({ kind, parameter }: Job): Pick<StoreOptions, 'readers'> {
  // With one reader a scan is as fast as one core is.
  if (kind === 'scan') return { readers: parameter }
  // The application does nothing while it waits for its lookups, so its core is free as well.
  if (kind === 'get-many') return { readers: availableParallelism() }
  return {}
}

async function onServers(job: Job): Promise<Outcome> {
  return (await import('./servers/cases.js')).measureOnServers(job)
}

async function onJobs(job: Job): Promise<Outcome> {
  return (await import('./jobs/cases.js')).measureJobs(job)
}

async function fill(store: Store, job: Job): Promise<Outcome> {
  await store.append(job.messages, makeValues(job.messageBytes))
  return { figures: { messages: job.messages } }
}

function answer(message: Answer, done: () => void = () => {}): void {
  process.send!(message, done)
}

// The parent is gone, and with it everybody who wanted to know.
process.once('disconnect', () => process.exit(1))
process.once('message', async (job: Job) => {
  const message: Answer = await run(job).catch((error: unknown) =>
    error instanceof Unavailable
      ? { unavailable: error.message }
      : { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) },
  )
  // Exits by itself, not by having nothing left to do: a contender's leftover handle must not hang the run.
  answer(message, () => process.exit(0))
})
