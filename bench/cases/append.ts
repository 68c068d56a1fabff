import { monitorEventLoopDelay } from 'node:perf_hooks'
import { sendOnSchedule } from '../arrivals.js'
import { type Store, Unavailable, valueAt } from '../contenders/contender.js'
import { monotonicUs } from '../due-time.js'
import type { Figures, Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'
import { warmUp } from '../warm-up.js'

const nanosecondsPerUs = 1000

/** As fast as the store takes them, until the last is visible. */
export function measureAppend(store: Store, job: Job): Promise<Outcome> {
  return measureBulk(job, (messages, values) => store.append(messages, values))
}

/** In groups of `parameter`, each there as a whole or not at all. */
export function measureAppendBatches(store: Store, job: Job): Promise<Outcome> {
  const append = able(store.appendBatches, 'batches')
  return measureBulk(job, (messages, values) => append(messages, values, job.parameter))
}

/** Over `parameter` topics in turn. */
export function measureAppendTopics(store: Store, job: Job): Promise<Outcome> {
  const append = able(store.appendTopics, 'topics')
  return measureBulk(job, (messages, values) => append(messages, values, job.parameter))
}

/** `parameter` callers, each of which awaits its append before it makes the next. */
export async function measureInFlight(store: Store, job: Job): Promise<Outcome> {
  const appendOne = able(store.appendOne, 'awaited appends')
  const values = makeValues(job.messageBytes)
  const append = async (messages: number) => {
    let next = 0
    const caller = async () => {
      while (next < messages) await appendOne(valueAt(values, next++))
    }
    await Promise.all(Array.from({ length: job.parameter }, caller))
  }
  const first = await warmUp(job, job.warmupMessages, () => append(job.warmupMessages))
  const figures = await measured(job.messages, job.messageBytes, () => append(job.messages))
  return { figures: { ...figures, ...first } }
}

/** One caller; each append is timed from the call to its acknowledgement. */
export async function measureLatency(store: Store, job: Job): Promise<Outcome> {
  const values = makeValues(job.messageBytes)
  const appendOne = able(store.appendOne, 'awaited appends')
  await warmUpOneByOne(job, appendOne, values)
  const latencies = new Latencies()
  const cost = await measured(job.messages, job.messageBytes, async () => {
    for (let index = 0; index < job.messages; index++) {
      const value = valueAt(values, index)
      const start = monotonicUs()
      await appendOne(value)
      latencies.record(monotonicUs() - start)
    }
  })
  return latencies.outcome(cost)
}

/** At a fixed rate, nobody waits for anybody: from the moment each is due to its acknowledgement. */
export async function measurePaced(store: Store, job: Job): Promise<Outcome> {
  const values = makeValues(job.messageBytes)
  const appendOne = able(store.appendOne, 'awaited appends')
  await warmUpOneByOne(job, appendOne, values)
  const messages = Math.ceil(job.seconds * job.ratePerSecond)
  const latencies = new Latencies()
  const sent = new Latencies()
  const delays = monitorEventLoopDelay({ resolution: 1 })
  let failure: unknown
  delays.enable()
  const cost = await measured(messages, job.messageBytes, async () => {
    const acknowledged: Promise<void>[] = []
    await sendOnSchedule(messages, job.ratePerSecond, (index, dueUs) => {
      const sentUs = monotonicUs()
      const done = () => {
        const now = monotonicUs()
        latencies.record(now - dueUs)
        sent.record(now - sentUs)
      }
      const pending = appendOne(valueAt(values, index))
      if (pending === undefined) return done()
      acknowledged.push(
        pending.then(done, (error) => {
          failure ??= error
        }),
      )
    })
    await Promise.all(acknowledged)
  })
  delays.disable()
  if (failure !== undefined) throw failure
  const loop: Figures = {
    loopP50Us: delays.percentile(50) / nanosecondsPerUs,
    loopP99Us: delays.percentile(99) / nanosecondsPerUs,
    loopP999Us: delays.percentile(99.9) / nanosecondsPerUs,
  }
  // What the same run would have claimed had it timed from the send: the difference is coordinated omission.
  const omitted: Figures = { uncorrectedP50Us: sent.percentile(50), uncorrectedP999Us: sent.percentile(99.9) }
  return latencies.outcome({ ...cost, ...loop, ...omitted })
}

function warmUpOneByOne(job: Job, appendOne: NonNullable<Store['appendOne']>, values: readonly Uint8Array[]) {
  return warmUp(job, job.warmupMessages, async () => {
    for (let index = 0; index < job.warmupMessages; index++) await appendOne(valueAt(values, index))
  })
}

/** Appends at the end of a log that holds `parameter` bytes already. */
async function measureBulk(
  job: Job,
  append: (messages: number, values: readonly Uint8Array[]) => Promise<void>,
): Promise<Outcome> {
  const values = makeValues(job.messageBytes)
  await append(job.warmupMessages, values)
  const figures = await measured(job.messages, job.messageBytes, () => append(job.messages, values))
  return { figures: { ...figures, nsPerMessage: (figures.seconds! * 1e9) / job.messages } }
}

export function able<T>(ability: T | undefined, what: string): T {
  if (ability === undefined) throw new Unavailable(`no ${what}`)
  return ability
}
