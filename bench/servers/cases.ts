/** What a log on servers is asked, a log in a directory, and the servers' own client. */
import { sendOnSchedule } from '../arrivals.js'
import { checkCount } from '../cases/read.js'
import { valueAt } from '../contenders/contender.js'
import { dueTimeBytes, dueTimeOf, monotonicUs, setDueTime } from '../due-time.js'
import type { Figures, Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'
import { pacedWarmupMessages, warmUp } from '../warm-up.js'
import { type Messenger, openMessenger } from './messenger.js'

/** A log in a directory is done with what takes servers seconds before it can be timed: it gets so many times as much. */
const localTimes = 10

type Measure = (messenger: Messenger, job: Job) => Promise<Outcome>

/** As fast as they are taken, until all are stored. */
const append: Measure = async (messenger, job) => {
  const values = makeValues(job.messageBytes)
  await messenger.appendAll(job.warmupMessages, values)
  return { figures: await counted(messenger, job, () => messenger.appendAll(job.messages, values)) }
}

/** `writers` callers, each of which awaits its append before it makes the next. */
const appendInFlight =
  (writers: number): Measure =>
  async (messenger, job) => {
    const values = makeValues(job.messageBytes)
    const appendAll = async (messages: number) => {
      let next = 0
      const writer = async () => {
        while (next < messages) await messenger.appendOne(valueAt(values, next++))
      }
      await Promise.all(Array.from({ length: writers }, writer))
    }
    const first = await warmUp(job, job.warmupMessages, () => appendAll(job.warmupMessages))
    return { figures: { ...(await counted(messenger, job, () => appendAll(job.messages))), ...first } }
  }

/** One caller; each append is timed from the call to its answer. */
const latency: Measure = async (messenger, job) => {
  const values = makeValues(job.messageBytes)
  const latencies = new Latencies()
  const appendAll = async (messages: number, isTimed: boolean) => {
    for (let index = 0; index < messages; index++) {
      const start = monotonicUs()
      await messenger.appendOne(valueAt(values, index))
      if (isTimed) latencies.record(monotonicUs() - start)
    }
  }
  await warmUp(job, job.warmupMessages, () => appendAll(job.warmupMessages, false))
  return latencies.outcome(await counted(messenger, job, () => appendAll(job.messages, true)))
}

/** All of it, in order, to the application. */
const read: Measure = async (messenger, job) => {
  await messenger.appendAll(job.messages, makeValues(job.messageBytes))
  const first = await warmUp(job, job.warmupMessages, () => messenger.readAll(job.warmupMessages))
  const figures = await counted(messenger, job, async () => checkCount(await messenger.readAll(job.messages), job))
  return { figures: { ...figures, ...first } }
}

/** All of it, through a group, each message acknowledged. */
const consume: Measure = async (messenger, job) => {
  await messenger.appendAll(job.messages, makeValues(job.messageBytes))
  let groups = 0
  const consumeAll = (messages: number) => messenger.consumeAll(`group-${groups++}`, messages)
  const first = await warmUp(job, job.warmupMessages, () => consumeAll(job.warmupMessages))
  return { figures: { ...(await counted(messenger, job, () => consumeAll(job.messages))), ...first } }
}

/** At a fixed rate: from the moment each is due to be appended to the moment a following reader has it. */
const follow: Measure = async (messenger, job) => {
  const messages = Math.ceil(job.seconds * job.ratePerSecond)
  const warmupMessages = pacedWarmupMessages(job)
  const value = new Uint8Array(Math.max(dueTimeBytes, job.messageBytes))
  const latencies = new Latencies()
  await messenger.appendOne(value)
  let received = 0
  const { finished } = await messenger.follow((bytes) => {
    if (received++ >= warmupMessages) latencies.record(monotonicUs() - dueTimeOf(bytes))
    return received < messages + warmupMessages
  })
  const appended: Promise<unknown>[] = []
  const send = (_index: number, dueUs: number) => {
    const own = value.slice()
    setDueTime(own, dueUs)
    appended.push(messenger.appendOne(own))
  }
  await sendOnSchedule(warmupMessages, job.ratePerSecond, send)
  const figures = await counted(messenger, { ...job, messages }, async () => {
    await sendOnSchedule(messages, job.ratePerSecond, send)
    await Promise.all([finished, ...appended])
  })
  return latencies.outcome(figures)
}

const measures = {
  'servers-append': append,
  'servers-in-flight': appendInFlight(1000),
  'servers-latency': latency,
  'servers-read': read,
  'servers-consume': consume,
  'servers-follow': follow,
} as const

export type ServerJobKind = keyof typeof measures

export async function measureOnServers(job: Job): Promise<Outcome> {
  const times = job.contender === 'bookend' && job.kind !== 'servers-latency' ? localTimes : 1
  const amount = { messages: job.messages * times, warmupMessages: job.warmupMessages * times }
  const messenger = await openMessenger(job)
  try {
    return await measures[job.kind as ServerJobKind](messenger, { ...job, ...amount })
  } finally {
    await messenger.close()
  }
}

/** Times work on messages, with what it cost this process and the servers. */
async function counted(messenger: Messenger, job: Job, work: () => Promise<unknown>): Promise<Figures> {
  const beforeMs = messenger.cpuMs()
  const figures = await measured(job.messages, job.messageBytes, work)
  return { ...figures, serverCpuNsPerMessage: ((messenger.cpuMs() - beforeMs) * 1e6) / job.messages }
}
