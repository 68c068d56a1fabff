/** The process in which one job runs: told by a message, answers with one, and ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import { measureAppend, measureInFlight, measureLatency } from './cases/append.js'
import { measureColdRead } from './cases/cold-read.js'
import { measureRead, measureReadBatches, measureScan } from './cases/read.js'
import { openStore } from './contenders/catalogue.js'
import type { Store } from './contenders/contender.js'
import type { Answer, Figures, Job } from './job.js'
import { makeValues } from './values.js'

/** Longer than any parent waits before it kills. */
const untilKilledMs = 10 * 60_000

/** With one reader a scan is as fast as one core is; everything else runs with the defaults. */
const scanReaders = 1

async function run(job: Job): Promise<Figures> {
  switch (job.kind) {
    case 'append':
      return withStore(job, (store) => measureAppend(store, job))
    case 'in-flight':
      return withStore(job, (store) => measureInFlight(store, job))
    case 'latency':
      return withStore(job, (store) => measureLatency(store, job))
    case 'read':
      return withStore(job, (store) => measureRead(store, job))
    case 'read-batches':
      return withStore(job, (store) => measureReadBatches(store, job))
    case 'scan':
      return withStore(job, (store) => measureScan(store, job), scanReaders)
    case 'cold-read':
      return withStore(job, (store) => measureColdRead(store, job))
    case 'fill':
      return withStore(job, (store) => fill(store, job))
    case 'fill-and-wait':
      return withStore(job, async (store) => {
        const figures = await fill(store, job)
        answer({ figures })
        await sleep(untilKilledMs)
        throw new Error('nobody killed this process')
      })
    // Loaded here only: these need the product, and a run of the peers alone must work without it.
    case 'idle':
      return (await import('./cases/idle-memory.js')).measureIdleMemory(job)
    case 'open':
      return (await import('./cases/open.js')).measureOpen(job)
  }
}

async function fill(store: Store, job: Job): Promise<Figures> {
  await store.append(job.messages, makeValues(job.messageBytes))
  return { messages: job.messages }
}

async function withStore(job: Job, measure: (store: Store) => Promise<Figures>, readers?: number): Promise<Figures> {
  const { directory, packageDirectory, segmentBytes } = job
  const store = await openStore(job.contender, {
    directory,
    packageDirectory,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(readers === undefined ? {} : { readers }),
  })
  const figures = await measure(store)
  await store.close()
  return figures
}

function answer(message: Answer, done: () => void = () => {}): void {
  process.send!(message, done)
}

// The parent is gone, and with it everybody who wanted to know.
process.once('disconnect', () => process.exit(1))
process.once('message', async (job: Job) => {
  const message: Answer = await run(job).then(
    (figures) => ({ figures }),
    (error: unknown) => ({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
  // Exits by itself, not by having nothing left to do: a contender's leftover handle must not hang the run.
  answer(message, () => process.exit(0))
})
