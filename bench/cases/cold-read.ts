import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Store } from '../contenders/contender.js'
import type { Figures, Job } from '../job.js'
import { rateOf } from '../rate.js'
import { checkCount } from './read.js'

const resolutionMs = 1
const nanosecondsPerMs = 1e6

/**
 * Reads everything once while the event loop is watched. The delays are as Node's monitor tells them: the time between
 * two beats of a 1 ms timer, so an undisturbed loop shows a little more than 1 ms.
 */
export async function measureColdRead(store: Store, job: Job): Promise<Figures> {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs })
  delays.enable()
  const start = performance.now()
  const count = await store.read!()
  const elapsedMs = performance.now() - start
  delays.disable()
  checkCount(count, job)
  if (delays.count === 0) throw new Error('the event loop never turned during the read: no delay could be taken')
  const milliseconds = (percentile: number) => delays.percentile(percentile) / nanosecondsPerMs
  return {
    ...rateOf(count.messages, count.bytes, elapsedMs),
    beats: delays.count,
    p50Ms: milliseconds(50),
    p99Ms: milliseconds(99),
    p999Ms: milliseconds(99.9),
    maxMs: delays.max / nanosecondsPerMs,
  }
}
