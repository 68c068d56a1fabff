/** Cases of queues of jobs, beside those that need a server. */
import type { ContenderName } from '../contenders/catalogue.js'
import type { BenchCase, Scale } from './bench-case.js'
import { byParameter, smallBytes } from './points.js'

/** What a server takes some seconds for. */
const mostJobs = 20_000
/** Slow enough that everybody keeps up. */
const lateRate = 200

const contenders: readonly ContenderName[] = ['bookend', 'bullmq', 'pg-boss']
const jobsOf = (scale: Scale) => Math.min(mostJobs, scale.messages ?? mostJobs)
const atOnce = (scale: Scale) => [{ messageBytes: smallBytes, parameter: 0, messages: jobsOf(scale) }]
const shared = { section: 'Jobs', contenders, isLong: true } as const

export const jobCases: readonly BenchCase[] = [
  {
    ...shared,
    name: 'jobs',
    title: 'push all, then work through all',
    kind: 'jobs',
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'concurrency',
    points: byParameter([1, 10, 100], [1, 10, 100], jobsOf),
  },
  {
    ...shared,
    name: 'jobs-delayed',
    title: 'push all with a delay, and work through them when they are due',
    kind: 'jobs-delayed',
    headline: 'messagesPerSecond',
    better: 'more',
    points: atOnce,
  },
  {
    ...shared,
    name: 'jobs-late',
    title: 'from when a job is due to its worker',
    kind: 'jobs-late',
    headline: 'p99Us',
    better: 'less',
    ratePerSecond: lateRate,
    points: atOnce,
  },
  {
    ...shared,
    name: 'jobs-pending',
    title: 'open a log in which jobs wait',
    kind: 'jobs-pending',
    contenders: ['bookend'],
    headline: 'openMs',
    better: 'less',
    parameter: 'pending',
    fill: { kind: 'fill-pending', when: 'once' },
    points: ({ isFull, messages }) =>
      (messages === undefined ? [1, 1_000_000, ...(isFull ? [10_000_000] : [])] : [messages]).map((pending) => ({
        messageBytes: smallBytes,
        parameter: pending,
        before: pending,
        messages: pending,
      })),
  },
]
