import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ReadCount, Store } from '../contenders/contender.js'
import type { Job, Outcome } from '../job.js'
import { measured } from '../resources.js'
import { able } from './append.js'
import { checkCount } from './read.js'

const resolutionMs = 1
const nanosecondsPerMs = 1e6

/**
 * Reads everything once while the event loop is watched. The delays are as Node's monitor tells them: the time between
 * two beats of a 1 ms timer, so an undisturbed loop shows a little more than 1 ms.
 */
export async function measureColdRead(store: Store, job: Job): Promise<Outcome> {
  const read = able(store.read, 'reads in order')
  const delays = monitorEventLoopDelay({ resolution: resolutionMs })
  let count: ReadCount = { messages: 0, bytes: 0 }
  delays.enable()
  const figures = await measured(job.messages, job.messageBytes, async () => {
    count = await read()
  })
  delays.disable()
  checkCount(count, job)
  if (delays.count === 0) throw new Error('the event loop never turned during the read: no delay could be taken')
  const milliseconds = (percentile: number) => delays.percentile(percentile) / nanosecondsPerMs
  const loop = {
    beats: delays.count,
    loopP50Ms: milliseconds(50),
    loopP99Ms: milliseconds(99),
    loopP999Ms: milliseconds(99.9),
    loopMaxMs: delays.max / nanosecondsPerMs,
  }
  return { figures: { ...figures, ...loop } }
}
