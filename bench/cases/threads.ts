/** Several threads on one store. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openConsumers } from '../contenders/bookend-consumers.js'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import type { Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { measured } from '../resources.js'
import { Crew } from '../threads/crew.js'
import { makeValues } from '../values.js'

/** `parameter` threads, as fast as the store takes it from all of them, until the last message is visible. */
export async function measureThreads(job: Job, options: StoreOptions): Promise<Outcome> {
  const { messageBytes } = job
  return measureAppending(job, options, (messages) => ({ work: 'append', messages, messageBytes }))
}

/** The same with values that each thread makes: an object for each message, as JSON. */
export async function measureThreadsJson(job: Job, options: StoreOptions): Promise<Outcome> {
  return measureAppending(job, options, (messages) => ({ work: 'append-json', messages }))
}

async function measureAppending(
  job: Job,
  options: StoreOptions,
  orderFor: (messages: number) => Parameters<Crew['all']>[0],
): Promise<Outcome> {
  const crew = await Crew.gather(job.contender, options, job.parameter)
  const share = (messages: number) => Math.ceil(messages / job.parameter)
  await crew.all(orderFor(share(job.warmupMessages)))
  const figures = await measured(share(job.messages) * job.parameter, job.messageBytes, () =>
    crew.all(orderFor(share(job.messages))),
  )
  await crew.close()
  return { figures }
}

/** One thread awaits an append now and then, beside another that floods. */
export async function measureThreadsLone(job: Job, options: StoreOptions): Promise<Outcome> {
  const { messages, messageBytes, warmupMessages } = job
  const crew = await Crew.gather(job.contender, options, 2)
  const beside = async (appends: number) => {
    const [flooded, alone] = crew.each([
      { work: 'flood', messageBytes },
      { work: 'append-alone', messages: appends, messageBytes },
    ])
    const { us } = await alone!
    crew.enter('over')
    await flooded
    return us!
  }
  await beside(warmupMessages)
  const latencies = new Latencies()
  const cost = await measured(messages, messageBytes, async () => {
    for (const us of await beside(messages)) latencies.record(us)
  })
  await crew.close()
  return latencies.outcome(cost)
}

/** `parameter` threads that all flood: how much the slowest of them gets written, over the fastest. */
export async function measureThreadsFair(job: Job, options: StoreOptions): Promise<Outcome> {
  const crew = await Crew.gather(job.contender, options, job.parameter)
  const flooded = crew.all({ work: 'flood', messageBytes: job.messageBytes })
  // Their rings are full by then, so what is accepted from here on is what was written.
  await sleep(job.seconds * 1000)
  crew.enter('counted')
  await sleep(job.seconds * 1000)
  crew.enter('over')
  const counts = (await flooded).map(({ messages }) => messages)
  await crew.close()
  const sum = counts.reduce((a, b) => a + b)
  const leastOverMost = Math.min(...counts) / Math.max(...counts)
  return { figures: { leastOverMost, messages: sum, messagesPerSecond: sum / job.seconds, seconds: job.seconds } }
}

/** `parameter` threads, each of which reads everything. */
export async function measureThreadsRead(job: Job, options: StoreOptions): Promise<Outcome> {
  const crew = await Crew.gather(job.contender, options, job.parameter)
  await crew.all({ work: 'read' })
  const figures = await measured(job.messages * job.parameter, job.messageBytes, async () => {
    for (const { messages } of await crew.all({ work: 'read' })) expectCount(messages, job.messages)
  })
  await crew.close()
  return { figures }
}

/** `parameter` threads consume one group together, and acknowledge each message. */
export async function measureThreadsConsume(job: Job, options: StoreOptions): Promise<Outcome> {
  await fill(job, options)
  const crew = await Crew.gather(job.contender, options, job.parameter)
  let groups = 0
  /** A new one each time. */
  const makeGroup = async () => {
    const group = `group-${groups++}`
    await crew.all({ work: 'make-group', group })
    return group
  }
  const consume = async (group: string, messages: number) => {
    const done = await crew.all({ work: 'consume', group, messages })
    return done.reduce((sum, each) => sum + each.messages, 0)
  }
  await consume(await makeGroup(), job.warmupMessages)
  const group = await makeGroup()
  const figures = await measured(job.messages, job.messageBytes, async () => {
    expectCount(await consume(group, job.messages), job.messages)
  })
  await crew.close()
  return { figures }
}

async function fill({ messages, messageBytes }: Job, options: StoreOptions): Promise<void> {
  const { log, topic } = await openConsumers(options)
  const values = makeValues(messageBytes)
  for (let index = 0; index < messages; index++) {
    while (!topic.offer(valueAt(values, index))) await topic.ready()
  }
  await log.close()
}

function expectCount(messages: number, expected: number): void {
  if (messages !== expected) throw new Error(`${messages} of ${expected} messages`)
}
