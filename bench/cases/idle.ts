import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { benchTopic, openBenchLog } from '../contenders/bookend.js'
import { openStore } from '../contenders/catalogue.js'
import type { StoreOptions } from '../contenders/contender.js'
import type { ByteCount } from '../handlers/scan-count-bytes.js'
import type { Figures, Job, Outcome } from '../job.js'
import { Resources } from '../resources.js'
import { makeValues } from '../values.js'

const scanModule = new URL('../handlers/scan-count-bytes.js', import.meta.url)
/** Share of the messages that is also brought to the application's thread. */
const readShare = 0.1
/** The second TTL has passed when the figure is taken, not almost. */
const slackMs = 100
/** Opening and the first flush are over by then. */
const settleMs = 1000
const kilobyte = 1024

/** A store that has been used and is left alone: what it costs to have it open. */
export async function measureIdle(job: Job, options: StoreOptions): Promise<Outcome> {
  const emptyRssBytes = process.memoryUsage.rss()
  const store = await openStore(job.contender, options)
  await store.append(job.messages, makeValues(job.messageBytes))
  await sleep(Math.min(settleMs, job.seconds * 1000))
  const resources = new Resources()
  await sleep(job.seconds * 1000)
  const cost = resources.since(1)
  const rssBytes = process.memoryUsage.rss()
  await store.close()
  const cpuMsPerSecond = (cost.userCpuMs! + cost.systemCpuMs!) / cost.seconds!
  const switchesPerSecond = (cost.voluntarySwitches! + cost.involuntarySwitches!) / cost.seconds!
  return {
    figures: {
      cpuMsPerSecond,
      switchesPerSecond,
      rssBytes,
      rssGrowthBytes: rssBytes - emptyRssBytes,
      seconds: cost.seconds!,
    },
  }
}

/** Opens a log, scans it, reads a tenth of it, leaves it alone for two TTLs and looks at its own resident memory. */
export async function measureIdleMemory(job: Job): Promise<Outcome> {
  const mapTtlMs = job.mapTtlMs!
  const log = await openBenchLog({ ...job, mapTtlMs })
  const topic = log.topic(benchTopic)
  const scanned = await topic.scan<ByteCount>(scanModule)
  if (scanned.messages !== job.messages) throw new Error(`scanned ${scanned.messages} of ${job.messages} messages`)
  let readMessages = 0
  for await (const message of topic.read({ to: Math.ceil(job.messages * readShare) })) {
    if (message.value.length > 0) readMessages++
  }
  const busy = residentMemory()
  await sleep(2 * mapTtlMs + slackMs)
  const idle = residentMemory()
  await log.close()
  return { figures: { messages: job.messages, readMessages, busyBytes: busy.totalBytes!, ...idle } }
}

/** From /proc/self/status: what is resident, and of what kind. */
function residentMemory(): Figures {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) * kilobyte
  return {
    totalBytes: field('VmRSS'),
    anonymousBytes: field('RssAnon'),
    fileBytes: field('RssFile'),
    sharedBytes: field('RssShmem'),
  }
}
