import { BroadcastChannel } from 'node:worker_threads'
import { sendOnSchedule } from '../arrivals.js'
import { type Consumers, openConsumers } from '../contenders/bookend-consumers.js'
import { openQueue } from '../contenders/catalogue.js'
import { type QueueStore, type StoreOptions, valueAt } from '../contenders/contender.js'
import { dueTimeBytes, setDueTime } from '../due-time.js'
import { answerChannel, askChannel } from '../handlers/channels.js'
import type { Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'
import { pacedWarmupMessages, warmUp } from '../warm-up.js'

const sha256Module = new URL('../handlers/sha256.js', import.meta.url)
const arrivalModule = new URL('../handlers/arrival-delay.js', import.meta.url)
/** Pushes that wait at the same time; stores that are synchronous have one. */
const pushesInFlight = 1000
/** Enough deliveries that an acknowledgement under way does not hold the group up. */
const prefetch = 1000

/** Everything pushed, then everything popped by `parameter` consumers. */
export async function measureQueue(job: Job, options: StoreOptions): Promise<Outcome> {
  const queue = await openQueue(job.contender, options)
  const values = makeValues(job.messageBytes)
  const first = await warmUp(job, job.warmupMessages, async () => {
    await pushAll(queue, job.warmupMessages, values)
    await popAll(queue, job.warmupMessages, job.parameter)
  })
  const push = await measured(job.messages, job.messageBytes, () => pushAll(queue, job.messages, values))
  const pop = await measured(job.messages, job.messageBytes, () => popAll(queue, job.messages, job.parameter))
  await expectEmpty(queue, 0)
  await queue.close()
  const pairs = job.messages / (push.seconds! + pop.seconds!)
  return {
    figures: {
      ...pop,
      ...first,
      messagesPerSecond: pairs,
      bytesPerSecond: pairs * job.messageBytes,
      pushPerSecond: push.messagesPerSecond!,
      popPerSecond: pop.messagesPerSecond!,
    },
  }
}

/** One push and one pop in turn, on a queue that holds `parameter` bytes of backlog. */
export async function measureQueueBacklog(job: Job, options: StoreOptions): Promise<Outcome> {
  const queue = await openQueue(job.contender, options)
  const values = makeValues(job.messageBytes)
  const backlog = await queue.size()
  const pairs = async (messages: number) => {
    for (let done = 0; done < messages; done += pushesInFlight) {
      const some = Math.min(pushesInFlight, messages - done)
      await pushAll(queue, some, values)
      await popAll(queue, some, 1)
    }
  }
  const first = await warmUp(job, job.warmupMessages, () => pairs(job.warmupMessages))
  const figures = await measured(job.messages, job.messageBytes, () => pairs(job.messages))
  await expectEmpty(queue, backlog)
  await queue.close()
  const nsPerMessage = (figures.seconds! * 1e9) / job.messages
  return { figures: { ...figures, ...first, nsPerMessage, backlogMessages: backlog } }
}

export async function fillQueue(job: Job, options: StoreOptions): Promise<Outcome> {
  const queue = await openQueue(job.contender, options)
  await pushAll(queue, job.messages, makeValues(job.messageBytes))
  await queue.close()
  return { figures: { messages: job.messages } }
}

/** A topic that `parameter` groups consume, each message delivered to and acknowledged by every group. */
export async function measureFanOut(job: Job): Promise<Outcome> {
  const consumers = await openConsumers(job)
  await fill(consumers, job.messages, job.messageBytes)
  let groups = 0
  // New ones each time, that have everything before them.
  const consume = (messages: number) => {
    const names = Array.from({ length: job.parameter }, () => `group-${groups++}`)
    return Promise.all(names.map((name) => consumeAll(consumers, name, messages)))
  }
  const first = await warmUp(job, job.warmupMessages * job.parameter, () => consume(job.warmupMessages))
  const figures = await measured(job.messages * job.parameter, job.messageBytes, () => consume(job.messages))
  await consumers.log.close()
  return { figures: { ...figures, ...first } }
}

/** Messages through a module in `parameter` reader threads; one SHA-256 each. */
export async function measureProcess(job: Job): Promise<Outcome> {
  const consumers = await openConsumers({ ...job, readers: job.parameter })
  await fill(consumers, job.messages, job.messageBytes)
  const options = { from: 'first', concurrency: job.parameter, order: 'none' } as const
  let processed = 0
  const figures = await measured(job.messages, job.messageBytes, async () => {
    const processor = consumers.group('bench').process(sha256Module, options)
    await processor.idle()
    processed = processor.stats.processed
    await processor.stop()
  })
  await consumers.log.close()
  if (processed !== job.messages) throw new Error(`processed ${processed} of ${job.messages} messages`)
  return { figures }
}

/** From the moment a message is due to append, to the moment the handler in the reader thread has it. */
export async function measureProcessPaced(job: Job): Promise<Outcome> {
  const consumers = await openConsumers(job)
  const { topic, log } = consumers
  const messages = Math.ceil(job.seconds * job.ratePerSecond)
  const warmupMessages = pacedWarmupMessages(job)
  await topic.append(withDueTime(job, 0))
  const processor = consumers.group('bench').process(arrivalModule, { from: 'first' })
  await processor.idle()
  const value = withDueTime(job, 0)
  const send = (_index: number, dueUs: number) => {
    setDueTime(value, dueUs)
    if (!topic.offer(value)) throw new Error('the ring is full at this rate: nothing to measure')
  }
  await sendOnSchedule(warmupMessages, job.ratePerSecond, send)
  await log.flush()
  await processor.idle()
  // What came before is the warm-up's, and the first message had no due time.
  await collectDelays(warmupMessages + 1)
  const latencies = new Latencies()
  const cost = await measured(messages, job.messageBytes, async () => {
    await sendOnSchedule(messages, job.ratePerSecond, send)
    await log.flush()
    await processor.idle()
  })
  for (const us of await collectDelays(messages)) latencies.record(us)
  await processor.stop()
  await log.close()
  return latencies.outcome(cost)
}

/** Asks all reader threads for what they have noted, until it is as much as was sent. */
async function collectDelays(count: number): Promise<number[]> {
  const ask = new BroadcastChannel(askChannel)
  const answers = new BroadcastChannel(answerChannel)
  const delays: number[] = []
  await new Promise<void>((resolve) => {
    answers.onmessage = (event) => {
      delays.push(...((event as { data: Float64Array }).data satisfies Float64Array))
      if (delays.length >= count) resolve()
    }
    ask.postMessage('delays')
  })
  ask.close()
  answers.close()
  return delays
}

function withDueTime(job: Job, dueUs: number): Uint8Array {
  const value = new Uint8Array(Math.max(dueTimeBytes, job.messageBytes))
  setDueTime(value, dueUs)
  return value
}

async function fill({ topic, log }: Consumers, messages: number, messageBytes: number): Promise<void> {
  const values = makeValues(messageBytes)
  for (let index = 0; index < messages; index++) {
    while (!topic.offer(valueAt(values, index))) await topic.ready()
  }
  await log.flush()
}

async function consumeAll(consumers: Consumers, name: string, messages: number): Promise<void> {
  let left = messages
  let last: Promise<void> | undefined
  for await (const delivery of consumers.group(name).consume({ from: 'first', prefetch })) {
    if (delivery.value.length === 0) throw new Error('an empty message was delivered')
    last = delivery.ack()
    if (--left === 0) break
  }
  await last
}

async function pushAll(queue: QueueStore, messages: number, values: readonly Uint8Array[]): Promise<void> {
  let next = 0
  const caller = async () => {
    while (next < messages) await queue.push(valueAt(values, next++))
  }
  await Promise.all(Array.from({ length: Math.min(pushesInFlight, messages) }, caller))
}

async function popAll(queue: QueueStore, messages: number, consumers: number): Promise<void> {
  let next = 0
  const consumer = async () => {
    while (next < messages) {
      next++
      if ((await queue.pop()) === undefined) throw new Error('the queue was empty too early')
    }
  }
  await Promise.all(Array.from({ length: Math.min(consumers, messages) }, consumer))
}

async function expectEmpty(queue: QueueStore, size: number): Promise<void> {
  const found = await queue.size()
  if (found !== size) throw new Error(`the queue holds ${found} messages, not ${size}`)
}
