/** The product, through its public face. */
import { open, text } from 'bookend'
import type { Job } from '../job.js'
import { inParts, type JobQueue } from './job-queue.js'

/** Pushes that wait at the same time. */
const pushesInFlight = 1000
export const queueName = 'jobs'

export async function openBookend({ directory, level, segmentBytes }: Job): Promise<JobQueue> {
  const log = await open(directory, { durability: level, ...(segmentBytes && { segmentBytes }) })
  const queue = log.queue(queueName, { codec: text })
  const pushLater: JobQueue['pushLater'] = (messages, value, dueAt) =>
    inParts(messages, pushesInFlight, (first, count) =>
      Promise.all(Array.from({ length: count }, (_, index) => queue.push(value, { deliverAt: dueAt(first + index) }))),
    )
  return {
    pushAll: (messages, value) =>
      inParts(messages, pushesInFlight, (_, count) =>
        Promise.all(Array.from({ length: count }, () => queue.push(value))),
      ),
    pushLater,
    pushOne: (value, deliverAt) => queue.push(value, { deliverAt }),
    work: async (concurrency, handle) => {
      const worker = queue.work(async ({ value }) => handle(value), { concurrency })
      return { stop: () => worker.stop() }
    },
    cpuMs: () => 0,
    close: () => log.close(),
  }
}
