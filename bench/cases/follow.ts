import { sendOnSchedule } from '../arrivals.js'
import { benchTopic, openBenchLog } from '../contenders/bookend.js'
import { dueTimeBytes, dueTimeOf, monotonicUs, setDueTime } from '../due-time.js'
import type { Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { measured } from '../resources.js'
import { pacedWarmupMessages } from '../warm-up.js'

/** From the moment a message is due to append, to the moment a following reader of the same process has it. */
export async function measureFollow(job: Job): Promise<Outcome> {
  const log = await openBenchLog(job)
  const topic = log.topic(benchTopic)
  await topic.append(new Uint8Array(job.messageBytes))
  const messages = Math.ceil(job.seconds * job.ratePerSecond)
  const warmupMessages = pacedWarmupMessages(job)
  const latencies = new Latencies()
  const abort = new AbortController()
  let received = 0
  const reading = (async () => {
    for await (const message of topic.read({ from: 'next', follow: true, signal: abort.signal })) {
      if (received++ >= warmupMessages) latencies.record(monotonicUs() - dueTimeOf(message.value))
      if (received === messages + warmupMessages) return
    }
  })()
  const value = new Uint8Array(Math.max(dueTimeBytes, job.messageBytes))
  const send = (_index: number, dueUs: number) => {
    setDueTime(value, dueUs)
    if (!topic.offer(value)) throw new Error('the ring is full at this rate: nothing to measure')
  }
  await sendOnSchedule(warmupMessages, job.ratePerSecond, send)
  const cost = await measured(messages, job.messageBytes, async () => {
    await sendOnSchedule(messages, job.ratePerSecond, send)
    await reading
  })
  abort.abort()
  await log.close()
  return latencies.outcome(cost)
}
