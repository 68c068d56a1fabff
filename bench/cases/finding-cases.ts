/** Cases of finding messages by what they are. */
import type { BenchCase } from './bench-case.js'
import { atOnePoint } from './points.js'

/** In some eighty segments, whatever their size. */
const most = 2_000_000
const mostPuts = 10_000_000
const shared = { section: 'Finding', better: 'more', isLong: true } as const
const filled = { fill: { kind: 'fill-finding', when: 'once' }, points: atOnePoint(most) } as const

export const findingCases: readonly BenchCase[] = [
  {
    ...{ ...shared, ...filled },
    name: 'find-key',
    title: 'the newest message of random keys, 100 in flight',
    kind: 'find-key',
    contenders: ['bookend', 'lmdb', 'better-sqlite3'],
    headline: 'messagesPerSecond',
  },
  {
    ...{ ...shared, ...filled },
    name: 'find-time',
    title: 'the first message at or after random times, hot',
    kind: 'find-time',
    contenders: ['bookend', 'better-sqlite3'],
    headline: 'messagesPerSecond',
  },
  {
    ...{ ...shared, ...filled },
    name: 'find-group',
    title: 'a group that is given one message in a hundred, over one that looks at all',
    kind: 'find-group',
    contenders: ['bookend'],
    headline: 'rateOverTested',
  },
  {
    ...shared,
    name: 'find-cost',
    title: 'processor time for the side index of a segment of 128 MiB, its walk included',
    kind: 'find-cost',
    contenders: ['bookend'],
    headline: 'segmentCpuMs',
    better: 'less',
    points: atOnePoint(most),
  },
  {
    ...shared,
    name: 'find-append',
    title: 'offers to an indexed topic, over offers to one that is not',
    kind: 'find-append',
    contenders: ['bookend'],
    headline: 'rateOverPlain',
    points: atOnePoint(most),
  },
  {
    ...shared,
    name: 'entries',
    title:
      'the latest of every key, each put ten times: entries() over all of them, a walk where only the latest is kept',
    kind: 'entries',
    contenders: ['bookend', 'lmdb'],
    headline: 'messagesPerSecond',
    fill: { kind: 'fill-state', when: 'once' },
    points: atOnePoint(mostPuts),
  },
]
