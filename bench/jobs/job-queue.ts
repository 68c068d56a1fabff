/** What is measured of a queue of jobs, whoever has it. Jobs are strings of ASCII. */
import type { Job } from '../job.js'

export interface JobQueue {
  /** So many, as fast as it takes them in the form that is recommended for many. */
  pushAll(messages: number, value: string): Promise<void>
  /** The same with a delay. @param dueAt of each, ms since the epoch */
  pushLater(messages: number, value: string, dueAt: (index: number) => number): Promise<void>
  /** One; awaited by the caller. */
  pushOne(value: string, dueAt: number): Promise<unknown>
  /** So many calls side by side at most, until they are told to end. A job is done when its call has returned. */
  work(concurrency: number, handle: (value: string) => void): Promise<Workers>
  /** Processor time of its server, in milliseconds; 0 where there is none. */
  cpuMs(): number
  close(): Promise<void>
}

export interface Workers {
  stop(): Promise<void>
}

export async function openJobs(job: Job): Promise<JobQueue> {
  switch (job.contender) {
    case 'bookend':
      return (await import('./bookend.js')).openBookend(job)
    case 'bullmq':
      return (await import('./bullmq.js')).openBullMq(job)
    case 'pg-boss':
      return (await import('./pg-boss.js')).openPgBoss(job)
    default:
      throw new Error(`${job.contender} has no jobs`)
  }
}

/** In parts of `most`. */
export async function inParts(
  messages: number,
  most: number,
  push: (first: number, count: number) => Promise<unknown>,
) {
  for (let first = 0; first < messages; first += most) await push(first, Math.min(most, messages - first))
}
