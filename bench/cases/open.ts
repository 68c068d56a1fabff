import { open } from 'bookend'
import { benchTopic } from '../contenders/bookend.js'
import type { Figures, Job } from '../job.js'

/** Opens a log that was not closed, then makes sure that what was acknowledged is there. */
export async function measureOpen(job: Job): Promise<Figures> {
  const start = performance.now()
  const log = await open(job.directory)
  const openMs = performance.now() - start
  const topic = log.topic(benchTopic)
  const { first, next } = await topic.bounds()
  if (first !== 0 || next !== job.messages) {
    throw new Error(`the log holds offsets ${first} to ${next} after recovery, written were ${job.messages} messages`)
  }
  const last = await topic.get(next - 1)
  if (last?.value.length !== job.messageBytes) throw new Error(`the last message cannot be read after recovery`)
  await log.close()
  return { openMs, messages: next }
}
