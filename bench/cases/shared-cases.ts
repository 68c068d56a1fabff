/** Cases of several threads, and of several processes, on one log. */
import { javaPeers } from '../contenders/catalogue.js'
import type { BenchCase, Point, Scale } from './bench-case.js'
import { countOf, smallBytes } from './points.js'

const kibibyte = 1024
const mostMessages = 1_000_000
/** Of the appends that wait a millisecond before each: about as many as there are in the time of the cases that go by time. */
const alonePerSecond = 500
const floods = 8
const manyFollowers = 50
/** Slow enough that everybody sleeps in between. */
const sleepyRate = 500

const byThreads =
  (counts: readonly number[], messageBytes: number, most?: number) =>
  (scale: Scale): Point[] =>
    counts.map((parameter) => ({ messageBytes, parameter, messages: countOf(scale, messageBytes, most) }))

const appendCases = (
  [
    ['threads', smallBytes],
    ['threads-1k', kibibyte],
  ] as const
).map(
  ([name, messageBytes]): BenchCase => ({
    name,
    section: 'Threads',
    title: 'append from several threads until published',
    kind: 'threads',
    contenders: ['bookend', 'post-message', 'lmdb', ...javaPeers],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'threads',
    points: byThreads([1, 2, 4], messageBytes),
  }),
)

const paced = (name: string, ratePerSecond: number): BenchCase => ({
  name,
  section: 'Processes',
  title: `append at ${ratePerSecond.toLocaleString('en')}/s to a follower in another process`,
  kind: 'follower',
  contenders: ['bookend', 'file-watch'],
  headline: 'p50Us',
  better: 'less',
  ratePerSecond,
  points: (scale) => [{ messageBytes: smallBytes, parameter: 0, messages: countOf(scale, smallBytes, mostMessages) }],
})

export const sharedCases: readonly BenchCase[] = [
  ...appendCases,
  {
    name: 'threads-json',
    section: 'Threads',
    title: 'JSON made and appended in several threads',
    kind: 'threads-json',
    contenders: ['bookend'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'threads',
    points: byThreads([1, 2], smallBytes, mostMessages),
  },
  {
    name: 'threads-lone',
    section: 'Threads',
    title: 'a lone append beside the flood of another thread',
    kind: 'threads-lone',
    contenders: ['bookend'],
    headline: 'p50Us',
    better: 'less',
    points: (scale) => [
      { messageBytes: smallBytes, parameter: 0, messages: Math.ceil(scale.seconds * alonePerSecond) },
    ],
  },
  {
    name: 'threads-fair',
    section: 'Threads',
    title: 'threads that all flood: the least over the most',
    kind: 'threads-fair',
    contenders: ['bookend'],
    headline: 'leastOverMost',
    better: 'more',
    parameter: 'threads',
    points: byThreads([floods], smallBytes, mostMessages),
  },
  {
    name: 'threads-read',
    section: 'Threads',
    title: 'read().batches() of several threads, each in itself',
    kind: 'threads-read',
    contenders: ['bookend'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'threads',
    fill: { kind: 'fill', when: 'once' },
    points: byThreads([1, 2], smallBytes),
  },
  {
    name: 'threads-consume',
    section: 'Threads',
    title: 'one group consumed and acknowledged by several threads',
    kind: 'threads-consume',
    contenders: ['bookend'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'threads',
    points: byThreads([1, 2], smallBytes),
  },
  paced('follower', sleepyRate),
  paced('follower-paced', 10_000),
  {
    name: 'follower-idle',
    section: 'Processes',
    title: 'CPU time of a log and its follower while nothing comes, both processes',
    kind: 'follower-idle',
    contenders: ['bookend'],
    headline: 'cpuMsPerSecond',
    better: 'less',
    points: () => [{ messageBytes: smallBytes, parameter: 0, messages: 1 }],
  },
  {
    name: 'followers',
    section: 'Processes',
    title: 'a flood of offers while it is followed, over the same alone',
    kind: 'followers',
    contenders: ['bookend'],
    headline: 'rateOverAlone',
    better: 'more',
    parameter: 'followers',
    points: (scale) => {
      const counts = scale.messages !== undefined ? [2] : scale.isFull ? [1, 10, manyFollowers] : [manyFollowers]
      return counts.map((parameter) => ({ messageBytes: smallBytes, parameter, messages: 1 }))
    },
  },
]
