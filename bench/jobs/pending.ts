/** Many jobs that wait for weeks: what they hold of memory, and what they cost whoever opens the log. */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { open, text } from 'bookend'
import type { Job, Outcome } from '../job.js'
import { Resources } from '../resources.js'
import { openBookend, queueName } from './bookend.js'

/** Due in these, at random, and not before. */
const [firstMs, spanMs] = [86_400_000, 90 * 86_400_000]

export async function fillPending(job: Job): Promise<Outcome> {
  const queue = await openBookend(job)
  const start = Date.now() + firstMs
  await queue.pushLater(job.messages, 'j'.repeat(job.messageBytes), () => start + Math.floor(Math.random() * spanMs))
  await queue.close()
  return { figures: { messages: job.messages } }
}

/** Until `open` has resolved; until a job with a delay is taken; memory of the process when all that is known. */
export async function measurePending({ directory, level, messages }: Job): Promise<Outcome> {
  const before = memoryBytes()
  const resources = new Resources()
  const log = await open(directory, { durability: level })
  const openMs = resources.since(1).seconds! * 1000
  const queue = log.queue(queueName, { codec: text })
  await queue.push('first', { delayMs: 0 })
  const cost = resources.since(1)
  for await (const value of queue) if (value === 'first') break
  const deliveredMs = resources.since(1).seconds! * 1000
  const memory = memoryBytes() - before
  const waiting = await firstOf(log.scheduled())
  if (messages > 1 && waiting === undefined) throw new Error('nothing waits: it was to be many')
  await log.close()
  return { figures: { ...cost, openMs, knownMs: cost.seconds! * 1000, deliveredMs, memoryBytes: memory } }
}

async function firstOf<T>(list: AsyncIterable<T>): Promise<T | undefined> {
  for await (const each of list) return each
  return undefined
}

/** Of the process itself: pages of files are the system's. */
function memoryBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const [, kib] = /^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kib ?? 0) * 1024
}
