/** Appends in the job's process, followers in processes of their own. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from 'bookend'
import { sendOnSchedule } from '../arrivals.js'
import { benchTopic, openBenchLog } from '../contenders/bookend.js'
import { valueAt } from '../contenders/contender.js'
import { dueTimeBytes, setDueTime } from '../due-time.js'
import { Crowd } from '../followers/crowd.js'
import { openBenchFile } from '../followers/file-watch.js'
import type { Job, Outcome } from '../job.js'
import { Latencies } from '../latency.js'
import { measured, Resources } from '../resources.js'
import { makeValues } from '../values.js'
import { pacedWarmupMessages } from '../warm-up.js'

/** Whoever writes what is followed. */
interface Source {
  send(dueUs: number): void
  close(): Promise<void>
}

/** From the moment a message is due to append here, to the moment a reader in another process has it. */
export async function measureFollower(job: Job): Promise<Outcome> {
  const source = await (job.contender === 'bookend' ? openLogSource(job) : openFileSource(job))
  const crowd = await Crowd.gather({ contender: job.contender, directory: job.directory }, 1)
  let untilUs = 0
  const send = (_index: number, dueUs: number) => {
    untilUs = dueUs
    source.send(dueUs)
  }
  await sendOnSchedule(pacedWarmupMessages(job), job.ratePerSecond, send)
  await crowd.ask({ kind: 'report', untilUs })
  const messages = Math.ceil(job.seconds * job.ratePerSecond)
  const latencies = new Latencies()
  let followerCpuNsPerMessage = 0
  let followerSwitchesPerMessage = 0
  const cost = await measured(messages, job.messageBytes, async () => {
    await sendOnSchedule(messages, job.ratePerSecond, send)
    const [report] = await crowd.ask({ kind: 'report', untilUs })
    for (const us of report!.us) latencies.record(us)
    followerCpuNsPerMessage = (report!.cpuMs * 1e6) / messages
    followerSwitchesPerMessage = report!.switches / messages
  })
  await crowd.close()
  await source.close()
  return latencies.outcome({ ...cost, followerCpuNsPerMessage, followerSwitchesPerMessage })
}

/** A log that is followed, while nothing is appended: what its owner and its follower take. */
export async function measureFollowerIdle(job: Job): Promise<Outcome> {
  const source = await openLogSource(job)
  const crowd = await Crowd.gather({ contender: job.contender, directory: job.directory }, 1)
  await crowd.ask({ kind: 'idle', seconds: job.seconds / 2 })
  const resources = new Resources()
  const [follower] = await crowd.ask({ kind: 'idle', seconds: job.seconds })
  const { userCpuMs, systemCpuMs, seconds } = resources.since(1)
  await crowd.close()
  await source.close()
  const ownerCpuMsPerSecond = (userCpuMs! + systemCpuMs!) / seconds!
  const followerCpuMsPerSecond = follower!.cpuMs / seconds!
  const cpuMsPerSecond = ownerCpuMsPerSecond + followerCpuMsPerSecond
  return { figures: { cpuMsPerSecond, ownerCpuMsPerSecond, followerCpuMsPerSecond, seconds: seconds! } }
}

/**
 * A flood of offers alone, then with `parameter` followers, then alone again, so that a machine that becomes slower is slower for both. The
 * followers are halted: what they do takes cores of their own, and what is asked is what they cost the owner.
 */
export async function measureFollowerCost(job: Job): Promise<Outcome> {
  const log = await openBenchLog(job)
  log.topic(benchTopic, { retention: { maxBytes: 1 } })
  const flood = () => flooded(log, job)
  await flood()
  const before = await flood()
  const crowd = await Crowd.gather({ contender: job.contender, directory: job.directory }, job.parameter)
  crowd.halt()
  const followed = await flood()
  await crowd.close()
  // Until the owner has seen that nobody follows any more.
  await sleep(Math.min(1000, job.seconds * 1000))
  const after = await flood()
  await log.close()
  const aloneRate = (before.messagesPerSecond + after.messagesPerSecond) / 2
  const aloneCpu = (before.cpuNsPerMessage + after.cpuNsPerMessage) / 2
  return {
    figures: {
      rateOverAlone: followed.messagesPerSecond / aloneRate,
      cpuOverAlone: followed.cpuNsPerMessage / aloneCpu,
      afterOverBefore: after.messagesPerSecond / before.messagesPerSecond,
      afterCpuOverBefore: after.cpuNsPerMessage / before.cpuNsPerMessage,
      messagesPerSecond: followed.messagesPerSecond,
      cpuNsPerMessage: followed.cpuNsPerMessage,
    },
  }
}

async function openLogSource(job: Job): Promise<Source> {
  const log = await openBenchLog(job)
  const topic = log.topic(benchTopic)
  const value = new Uint8Array(Math.max(dueTimeBytes, job.messageBytes))
  await topic.append(value)
  return {
    send(dueUs) {
      setDueTime(value, dueUs)
      if (!topic.offer(value)) throw new Error('the ring is full at this rate: nothing to measure')
    },
    close: () => log.close(),
  }
}

async function openFileSource(job: Job): Promise<Source> {
  const file = openBenchFile(job.directory)
  return { send: file.write, close: async () => file.close() }
}

async function flooded(log: Log, job: Job): Promise<{ messagesPerSecond: number; cpuNsPerMessage: number }> {
  const topic = log.topic(benchTopic)
  const values = makeValues(job.messageBytes)
  const untilMs = performance.now() + job.seconds * 1000
  let messages = 0
  const resources = new Resources()
  while (performance.now() < untilMs) {
    for (let index = 0; index < values.length; index++, messages++) {
      while (!topic.offer(valueAt(values, index))) await topic.ready()
    }
  }
  await log.flush('process')
  const { seconds, cpuNsPerMessage } = resources.since(messages)
  return { messagesPerSecond: messages / seconds!, cpuNsPerMessage: cpuNsPerMessage! }
}
