/** Cases of queues and groups. */
import type { BenchCase } from './bench-case.js'
import { byParameter, countOf, mostOneByOne, small, smallBytes } from './points.js'

const mostPopped = 100_000

export const workCases: readonly BenchCase[] = [
  {
    name: 'queue',
    section: 'Queues and groups',
    title: 'push all, then pop all',
    kind: 'queue',
    contenders: ['bookend', 'lmdb', 'better-sqlite3'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'consumers',
    points: byParameter([1, 100], [1, 10, 100], (scale, consumers) =>
      countOf(scale, smallBytes, Math.min(mostPopped, mostOneByOne * consumers)),
    ),
  },
  {
    name: 'fan-out',
    section: 'Queues and groups',
    title: 'every message to each group',
    kind: 'fan-out',
    contenders: ['bookend'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'groups',
    points: byParameter([1, 4], [1, 2, 4, 8], small(200_000)),
  },
  {
    name: 'process',
    section: 'Queues and groups',
    title: 'SHA-256 of every message in reader threads',
    kind: 'process',
    contenders: ['bookend'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'readers',
    points: byParameter([1, 2], [1, 2], small(1_000_000)),
  },
]
