/** Cases in which a store is larger than memory, or grows. */
import { peersWithGet } from '../contenders/catalogue.js'
import type { BenchCase, Point, Scale } from './bench-case.js'
import { mostOneByOne, small, smallBytes } from './points.js'

/** Room for a store's process, and a quarter of the data of the cases that are to be larger than memory. */
const limitedMemoryBytes = 256 * 1024 * 1024
const limitedMessageBytes = 1000

const largerThanMemory =
  (most?: number) =>
  (scale: Scale): Point[] => {
    const messages = scale.messages ?? Math.ceil((4 * limitedMemoryBytes) / limitedMessageBytes)
    const measured = Math.min(messages, most ?? messages)
    return [{ messageBytes: limitedMessageBytes, parameter: 0, before: messages, messages: measured }]
  }

/** One point a backlog: so much is there before, and some more is measured. */
const byBacklog =
  (messageBytes: number, messages: (scale: Scale, before: number) => number) =>
  (scale: Scale): Point[] =>
    scale.backlogs.map((parameter) => {
      const before = Math.ceil(parameter / messageBytes)
      return { messageBytes, parameter, before, messages: messages(scale, before) }
    })

export const growthCases: readonly BenchCase[] = [
  ...(
    [
      ['append', 'offer until published', 'append', undefined],
      ['read', 'read in order to the application', 'read', undefined],
      ['get', 'get of random offsets', 'get', mostOneByOne],
    ] as const
  ).map(
    ([name, title, kind, most]): BenchCase => ({
      name: `${name}-limited`,
      section: 'Larger than memory',
      title: `${title}, data four times the memory`,
      kind,
      contenders: kind === 'get' ? peersWithGet : ['bookend', 'write-sync', 'lmdb', 'better-sqlite3', 'classic-level'],
      headline: 'messagesPerSecond',
      better: 'more',
      ...(kind === 'append' ? {} : { fill: { kind: 'fill', when: 'once' } }),
      memoryBytes: limitedMemoryBytes,
      isLong: true,
      points: largerThanMemory(most),
    }),
  ),
  {
    name: 'backlog',
    section: 'As the log grows',
    title: 'cost of an append',
    kind: 'append',
    contenders: ['bookend', 'lmdb', 'better-sqlite3'],
    headline: 'nsPerMessage',
    better: 'less',
    parameter: 'backlog',
    fill: { kind: 'fill', when: 'once' },
    points: byBacklog(smallBytes, small(1_000_000)),
  },
  {
    name: 'open',
    section: 'As the log grows',
    title: 'open after a clean close',
    kind: 'open',
    contenders: ['bookend', 'lmdb', 'better-sqlite3', 'classic-level'],
    headline: 'openMs',
    better: 'less',
    parameter: 'backlog',
    fill: { kind: 'fill', when: 'once' },
    points: byBacklog(1000, (_scale, before) => before),
  },
  {
    name: 'recovery',
    section: 'As the log grows',
    title: 'open after kill -9',
    kind: 'open',
    contenders: ['bookend', 'lmdb', 'better-sqlite3', 'classic-level'],
    headline: 'openMs',
    better: 'less',
    parameter: 'backlog',
    fill: { kind: 'fill-and-wait', when: 'every round' },
    points: byBacklog(1000, (_scale, before) => before),
  },
  {
    name: 'queue-backlog',
    section: 'As the log grows',
    title: 'cost of a push and a pop',
    kind: 'queue-backlog',
    contenders: ['bookend', 'lmdb', 'better-sqlite3'],
    headline: 'nsPerMessage',
    better: 'less',
    parameter: 'backlog',
    fill: { kind: 'fill-queue', when: 'once' },
    points: byBacklog(1000, small(mostOneByOne / 2)),
  },
]
