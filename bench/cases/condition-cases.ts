/** Cases of appends with conditions, and of transactions. */
import type { BenchCase } from './bench-case.js'
import { byParameter, countOf, smallBytes } from './points.js'

const shared = {
  section: 'Conditions',
  contenders: ['bookend', 'lmdb', 'better-sqlite3'],
  headline: 'messagesPerSecond',
  better: 'more',
  isLong: true,
  parameter: 'writers',
  points: byParameter([1000], [1000], (scale) => countOf(scale, smallBytes, 200_000)),
} as const

export const conditionCases: readonly BenchCase[] = [
  { ...shared, name: 'append-expected', title: 'awaited append at an expected offset', kind: 'append-expected' },
  { ...shared, name: 'append-id', title: 'awaited append with an id', kind: 'append-id' },
  {
    ...{
      ...shared,
      contenders: ['bookend'],
      points: byParameter([1000], [1000], (scale) => countOf(scale, smallBytes, 20_000)),
    },
    ...{ name: 'append-version', title: 'awaited append where nothing has its key', kind: 'append-version' },
  },
  {
    ...{ ...shared, contenders: ['bookend'] },
    ...{ name: 'append-numbered', title: "awaited append by a producer's number", kind: 'append-numbered' },
  },
  { ...shared, name: 'transact', title: 'an append and an acknowledgement at one moment', kind: 'transact' },
]
