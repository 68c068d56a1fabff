import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from 'bookend'
import { benchTopic } from '../contenders/bookend.js'
import type { Figures, Job } from '../job.js'
import type { ByteCount } from '../scan-count-bytes.js'

const scanModule = new URL('../scan-count-bytes.js', import.meta.url)
/** Share of the messages that is also brought to the application's thread. */
const readShare = 0.1
/** The second TTL has passed when the figure is taken, not almost. */
const slackMs = 100
const kilobyte = 1024

/** Opens a log, scans it, reads a tenth of it, leaves it alone for two TTLs and looks at its own resident memory. */
export async function measureIdleMemory(job: Job): Promise<Figures> {
  const mapTtlMs = job.mapTtlMs!
  const log = await open(job.directory, {
    mapTtlMs,
    ...(job.segmentBytes === undefined ? {} : { segmentBytes: job.segmentBytes }),
  })
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
  return { messages: job.messages, readMessages, busyBytes: busy.total!, ...prefixed(idle) }
}

/** From /proc/self/status: what is resident, and of what kind. */
function residentMemory(): Record<string, number> {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) * kilobyte
  return { total: field('VmRSS'), anonymous: field('RssAnon'), file: field('RssFile'), shared: field('RssShmem') }
}

function prefixed(memory: Record<string, number>): Figures {
  return Object.fromEntries(Object.entries(memory).map(([kind, bytes]) => [`${kind}Bytes`, bytes]))
}
