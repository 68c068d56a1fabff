/** What a queue of jobs is asked: this one's, and those on servers. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, sendOnSchedule } from '../arrivals.js'
import { monotonicUs } from '../due-time.js'
import type { Figures, Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { measured } from '../resources.js'
import { pacedWarmupMessages, warmUp } from '../warm-up.js'
import { type JobQueue, openJobs, type Workers } from './job-queue.js'

/** A queue in this process is done with what takes others seconds before it can be timed: it gets so many times as much. */
const localTimes = 10
/** Jobs that are late by a server's turn must not hold up those behind them. */
const lateConcurrency = 100
/** A job waits for so long, and up to as long again. */
const shortestDelayMs = 200

/** When a job is pushed matters little, and the machine is to be idle: what is timed begins when it is due. */
const sleepyClock: Clock = { nowUs: monotonicUs, turn: () => sleep(1) }

type Measure = (queue: JobQueue, job: Job) => Promise<Outcome>

/** All pushed, then all worked through, so many side by side. */
const pushAndWork: Measure = async (queue, job) => {
  const value = jobText(job)
  const both = async (messages: number) => {
    await queue.pushAll(messages, value)
    await workThrough(queue, messages, job.parameter)
  }
  const first = await warmUp(job, job.warmupMessages, () => both(job.warmupMessages))
  const push = await counted(queue, job, () => queue.pushAll(job.messages, value))
  const work = await counted(queue, job, () => workThrough(queue, job.messages, job.parameter))
  return { figures: { ...first, ...together(job, push, work), pushPerSecond: push.messagesPerSecond! } }
}

/** All pushed with a delay, then, when they are due, worked through: the wait in between is left out. */
const delayed: Measure = async (queue, job) => {
  const value = jobText(job)
  const startMs = performance.now()
  await queue.pushLater(job.warmupMessages, value, Date.now)
  const msEach = (performance.now() - startMs) / job.warmupMessages
  await workThrough(queue, job.warmupMessages, lateConcurrency)
  // Longer than pushing takes.
  const due = Date.now() + 1_000 + 2 * msEach * job.messages
  const push = await counted(queue, job, () => queue.pushLater(job.messages, value, () => due))
  await new Promise((resolve) => setTimeout(resolve, due - Date.now()))
  const work = await counted(queue, job, () => workThrough(queue, job.messages, lateConcurrency))
  return { figures: { ...together(job, push, work), pushPerSecond: push.messagesPerSecond! } }
}

/** At a fixed rate, each with a delay: from the moment each is due to the moment a worker has it. */
const lateness: Measure = async (queue, job) => {
  const messages = Math.ceil(job.seconds * job.ratePerSecond)
  const warmupMessages = pacedWarmupMessages(job)
  const latencies = new Latencies()
  let received = 0
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const workers = await queue.work(lateConcurrency, (value) => {
    const [dueMs, isTimed] = value.split(' ')
    if (isTimed === '1') latencies.record((performance.timeOrigin + performance.now() - Number(dueMs)) * 1000)
    if (++received === messages + warmupMessages) finish()
  })
  const pushed: Promise<unknown>[] = []
  const send = (isTimed: number) => () => {
    const dueMs = Date.now() + Math.ceil(shortestDelayMs * (1 + Math.random()))
    pushed.push(queue.pushOne(`${dueMs} ${isTimed} `.padEnd(job.messageBytes, '.'), dueMs))
  }
  await sendOnSchedule(warmupMessages, job.ratePerSecond, send(0), sleepyClock)
  const figures = await counted(queue, { ...job, messages }, async () => {
    await sendOnSchedule(messages, job.ratePerSecond, send(1), sleepyClock)
    await Promise.all([finished, ...pushed])
  })
  await workers.stop()
  return latencies.outcome(figures)
}

const measures = { jobs: pushAndWork, 'jobs-delayed': delayed, 'jobs-late': lateness } as const

export type QueueJobKind = keyof typeof measures

export async function measureJobs(job: Job): Promise<Outcome> {
  const times = job.contender === 'bookend' && job.kind !== 'jobs-late' ? localTimes : 1
  const amount = { messages: job.messages * times, warmupMessages: job.warmupMessages * times }
  const queue = await openJobs(job)
  try {
    return await measures[job.kind as QueueJobKind](queue, { ...job, ...amount })
  } finally {
    await queue.close()
  }
}

function jobText({ messageBytes }: Job): string {
  return 'j'.repeat(messageBytes)
}

async function workThrough(queue: JobQueue, messages: number, concurrency: number): Promise<void> {
  let left = messages
  let workers: Workers | undefined
  await new Promise<void>((resolve, reject) => {
    const work = queue.work(concurrency, () => {
      if (--left === 0) resolve()
    })
    work.then((started) => {
      workers = started
    }, reject)
  })
  // What is done is acknowledged when they have stopped.
  await workers?.stop()
  if (left < 0) throw new Error(`${-left} jobs came twice`)
}

/** One push and one call each. */
function together(job: Job, push: Figures, work: Figures): Figures {
  const seconds = push.seconds! + work.seconds!
  const each = (name: string) => push[name]! + work[name]!
  return {
    ...work,
    messagesPerSecond: job.messages / seconds,
    bytesPerSecond: (job.messages * job.messageBytes) / seconds,
    workPerSecond: work.messagesPerSecond!,
    cpuNsPerMessage: each('cpuNsPerMessage'),
    serverCpuNsPerMessage: each('serverCpuNsPerMessage'),
  }
}

/** Times work on jobs, with what it cost this process and the server. */
async function counted(queue: JobQueue, job: Job, work: () => Promise<unknown>): Promise<Figures> {
  const beforeMs = queue.cpuMs()
  const figures = await measured(job.messages, job.messageBytes, work)
  return { ...figures, serverCpuNsPerMessage: ((queue.cpuMs() - beforeMs) * 1e6) / job.messages }
}
