import type { ReadCount, Store } from '../contenders/contender.js'
import type { Figures, Job } from '../job.js'
import { rateOf } from '../rate.js'

/** Every message, in order, to the application's thread. The page cache is warm: the data was just written. */
export function measureRead(store: Store, job: Job): Promise<Figures> {
  return measure(store.read, job)
}

/** The same through the store's own batches. */
export function measureReadBatches(store: Store, job: Job): Promise<Figures> {
  return measure(store.readBatches, job)
}

/** Every message, visited in the reader threads. A scan has no limit, so the warm-up is a whole one. */
export function measureScan(store: Store, job: Job): Promise<Figures> {
  return measure(store.scan, job)
}

async function measure(read: Store['read'], job: Job): Promise<Figures> {
  if (read === undefined) throw new Error('this contender cannot read like that')
  await read(job.warmupMessages)
  const start = performance.now()
  const count = await read()
  const elapsedMs = performance.now() - start
  checkCount(count, job)
  return rateOf(count.messages, count.bytes, elapsedMs)
}

/** A fast read that lost something is no read. */
export function checkCount(count: ReadCount, job: Job): void {
  const bytes = job.messages * job.messageBytes
  if (count.messages === job.messages && count.bytes === bytes) return
  throw new Error(`read ${count.messages} messages, ${count.bytes} bytes; written were ${job.messages}, ${bytes}`)
}
