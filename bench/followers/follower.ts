/** A process that follows what another writes, and notes how long each message took to it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { dueTimeOf, monotonicUs } from '../due-time.js'
import { Resources } from '../resources.js'
import type { Assignment, FollowerOrder, FollowerReport } from './orders.js'

const { contender, directory } = JSON.parse(process.argv[2]!) as Assignment

let us: number[] = []
let newestUs = 0
let wanted: { untilUs: number; resolve: () => void } | undefined
let resources = new Resources()

function arrived(dueUs: number): void {
  us.push(monotonicUs() - dueUs)
  newestUs = Math.max(newestUs, dueUs)
  if (wanted !== undefined && newestUs >= wanted.untilUs) wanted.resolve()
}

async function followBookend(): Promise<void> {
  const { followBenchLog } = await import('./bookend.js')
  await followBenchLog(directory, (value) => arrived(dueTimeOf(value)))
}

async function followFile(): Promise<void> {
  const { watchBenchFile } = await import('./file-watch.js')
  watchBenchFile(directory, (value) => {
    // Several writes may be one event.
    if (dueTimeOf(value) > newestUs) arrived(dueTimeOf(value))
  })
}

async function report(untilUs: number): Promise<FollowerReport> {
  await new Promise<void>((resolve) => {
    wanted = { untilUs, resolve }
    if (newestUs >= untilUs) resolve()
  })
  const seen = us
  us = []
  return { us: seen, ...cost() }
}

function cost(): Omit<FollowerReport, 'us'> {
  const { userCpuMs, systemCpuMs, voluntarySwitches } = resources.since(1)
  resources = new Resources()
  return { cpuMs: userCpuMs! + systemCpuMs!, switches: voluntarySwitches! }
}

const tell = (answer: FollowerReport) => process.send!(answer)
process.once('disconnect', () => process.exit())
process.on('message', async (order: FollowerOrder) => {
  if (order.kind === 'report') tell(await report(order.untilUs))
  else {
    cost()
    await sleep(order.seconds * 1000)
    tell({ us: [], ...cost() })
  }
})
await (contender === 'bookend' ? followBookend() : followFile())
tell({ us: [], ...cost() })
