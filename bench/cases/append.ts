import { type Store, valueAt } from '../contenders/contender.js'
import type { Figures, Job } from '../job.js'
import { LatencyHistogram } from '../latency-histogram.js'
import { rateOf } from '../rate.js'
import { makeValues } from '../values.js'
import { appendsInFlight } from './catalogue.js'

/** As fast as the store takes them, until the last is visible. */
export async function measureAppend(store: Store, job: Job): Promise<Figures> {
  const values = makeValues(job.messageBytes)
  await store.append(job.warmupMessages, values)
  const start = performance.now()
  await store.append(job.messages, values)
  return rateOf(job.messages, job.messages * job.messageBytes, performance.now() - start)
}

/** A thousand callers, each of which awaits its append before it makes the next. */
export async function measureInFlight(store: Store, job: Job): Promise<Figures> {
  const values = makeValues(job.messageBytes)
  await appendConcurrently(store, job.warmupMessages, values)
  const start = performance.now()
  await appendConcurrently(store, job.messages, values)
  return rateOf(job.messages, job.messages * job.messageBytes, performance.now() - start)
}

/** One caller; each append is timed from the call to its acknowledgement. */
export async function measureLatency(store: Store, job: Job): Promise<Figures> {
  const values = makeValues(job.messageBytes)
  const appendOne = appendOneOf(store)
  for (let index = 0; index < job.warmupMessages; index++) await appendOne(valueAt(values, index))
  const histogram = new LatencyHistogram()
  for (let index = 0; index < job.messages; index++) {
    const value = valueAt(values, index)
    const start = performance.now()
    await appendOne(value)
    histogram.record(performance.now() - start)
  }
  return histogram.summary()
}

async function appendConcurrently(store: Store, messages: number, values: readonly Uint8Array[]): Promise<void> {
  const appendOne = appendOneOf(store)
  let next = 0
  const caller = async () => {
    while (next < messages) await appendOne(valueAt(values, next++))
  }
  await Promise.all(Array.from({ length: appendsInFlight }, caller))
}

function appendOneOf(store: Store): NonNullable<Store['appendOne']> {
  if (store.appendOne === undefined) throw new Error('this contender has no append of a single message')
  return store.appendOne
}
