/** Every case: what runs, for whom, at which points, and which figure stands for it. */
import { type ContenderName, javaPeers } from '../contenders/catalogue.js'
import type { Level } from '../contenders/contender.js'
import type { JobKind } from '../job.js'
import { serverCases } from './server-cases.js'
import { sharedCases } from './shared-cases.js'

/** How large a run is. */
export interface Scale {
  readonly isFull: boolean
  readonly sizes: readonly number[]
  /** Payload of a case whose length is not fixed otherwise. */
  readonly dataBytes: number
  /** Instead of `dataBytes`: so many messages, whatever their size. */
  readonly messages: number | undefined
  /** Length of cases that go by time. */
  readonly seconds: number
  readonly warmupSeconds: number
  /** Backlogs, in bytes; ascending. */
  readonly backlogs: readonly number[]
}

/** One place on a case's axes. */
export interface Point {
  readonly messageBytes: number
  readonly parameter: number
  readonly messages: number
  /** Messages that are there before, written by a process of its own. */
  readonly before?: number
}

export type Parameter =
  | 'batch'
  | 'writers'
  | 'topics'
  | 'readers'
  | 'groups'
  | 'consumers'
  | 'threads'
  | 'followers'
  | 'flush'
  | 'backlog'

export interface BenchCase {
  readonly name: string
  readonly section:
    | 'Append'
    | 'Latency'
    | 'Read'
    | 'Larger than memory'
    | 'As the log grows'
    | 'Queues and groups'
    | 'Threads'
    | 'Processes'
    | 'Servers'
    | 'At rest'
    | 'Moving bytes'
    | 'Your own'
  readonly title: string
  readonly kind: JobKind
  readonly contenders: readonly ContenderName[]
  /** The figure that stands in tables, ratios and plots. */
  readonly headline: string
  readonly better: 'more' | 'less'
  readonly parameter?: Parameter
  readonly level?: Level
  /** Data written once per contender, or before every round where a round spoils it. */
  readonly fill?: { readonly kind: JobKind; readonly when: 'once' | 'every round' }
  /** Messages that are due a second, where the usual rate is not what the case is about. */
  readonly ratePerSecond?: number
  /** A job may use so much memory, the page cache of its files included; the cache is dropped before it. Linux, root. */
  readonly memoryBytes?: number
  /** Takes long: part of a full run, else only if it is named. */
  readonly isLong?: boolean
  readonly points: (scale: Scale) => readonly Point[]
}

/** Rate at which messages are due in the cases that go by the clock. */
export const pacedRate = 10_000
/** One lookup, or one awaited append, at a time: more would only take longer. */
const mostOneByOne = 10_000
const mostInFlight = 500_000
const mostPopped = 100_000
const smallBytes = 100
const mebibyte = 1024 * 1024

const countOf = (scale: Scale, messageBytes: number, most = Number.POSITIVE_INFINITY) =>
  Math.min(scale.messages ?? Math.ceil(scale.dataBytes / messageBytes), most)

/** One point a message size. */
const bySize =
  (most?: number) =>
  (scale: Scale): Point[] =>
    scale.sizes.map((messageBytes) => ({ messageBytes, parameter: 0, messages: countOf(scale, messageBytes, most) }))

/** One point a parameter, all with small messages. */
const byParameter =
  (quick: readonly number[], full: readonly number[], messages: (scale: Scale, parameter: number) => number) =>
  (scale: Scale): Point[] =>
    (scale.isFull ? full : quick).map((parameter) => ({
      messageBytes: smallBytes,
      parameter,
      messages: messages(scale, parameter),
    }))

const small = (most?: number) => (scale: Scale) => countOf(scale, smallBytes, most)

const atOnePoint =
  (most?: number) =>
  (scale: Scale): Point[] => [{ messageBytes: smallBytes, parameter: 0, messages: countOf(scale, smallBytes, most) }]

/** One point a backlog: so much is there before, and some more is measured. */
const byBacklog =
  (messageBytes: number, messages: (scale: Scale, before: number) => number) =>
  (scale: Scale): Point[] =>
    scale.backlogs.map((parameter) => {
      const before = Math.ceil(parameter / messageBytes)
      return { messageBytes, parameter, before, messages: messages(scale, before) }
    })

/** A flush takes milliseconds: so many that a writer flushes about thirty times, and many writers a few. */
const durableMessages = (scale: Scale, writers: number) =>
  Math.min(scale.messages ?? Number.POSITIVE_INFINITY, Math.max(30, Math.min(30 * writers, 10 * 10_000)))

/** Room for a store's process, and a quarter of the data of the cases that are to be larger than memory. */
const limitedMemoryBytes = 256 * mebibyte
const limitedMessageBytes = 1000

const largerThanMemory =
  (most?: number) =>
  (scale: Scale): Point[] => {
    const messages = scale.messages ?? Math.ceil((4 * limitedMemoryBytes) / limitedMessageBytes)
    const measured = Math.min(messages, most ?? messages)
    return [{ messageBytes: limitedMessageBytes, parameter: 0, before: messages, messages: measured }]
  }

const peersWithGet = ['bookend', 'lmdb', 'better-sqlite3', 'classic-level'] as const

export const benchCases: readonly BenchCase[] = [
  {
    name: 'append',
    section: 'Append',
    title: 'offer until published',
    kind: 'append',
    contenders: [
      'bookend',
      'bare',
      'bare-16k',
      'memcpy',
      'write-sync',
      'sonic-boom',
      'lmdb',
      'better-sqlite3',
      'classic-level',
      ...javaPeers,
    ],
    headline: 'messagesPerSecond',
    better: 'more',
    points: bySize(),
  },
  {
    name: 'append-batches',
    section: 'Append',
    title: 'atomic batches',
    kind: 'append-batches',
    contenders: peersWithGet,
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'batch',
    points: byParameter([1000], [10, 100, 1000], (scale) => countOf(scale, smallBytes, 1_000_000)),
  },
  {
    name: 'in-flight',
    section: 'Append',
    title: 'awaited append',
    kind: 'in-flight',
    contenders: ['bookend', 'lmdb', 'classic-level'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'writers',
    points: byParameter([1000], [1, 10, 100, 1000, 10_000], (scale, writers) =>
      countOf(scale, smallBytes, Math.min(mostInFlight, mostOneByOne * writers)),
    ),
  },
  {
    name: 'append-disk',
    section: 'Append',
    title: 'awaited append, level disk',
    kind: 'in-flight',
    level: 'disk',
    contenders: ['bookend', 'fdatasync', 'lmdb', 'better-sqlite3', 'classic-level', ...javaPeers],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'writers',
    points: byParameter([1, 1000], [1, 10, 100, 1000, 10_000], durableMessages),
  },
  {
    name: 'topics',
    section: 'Append',
    title: 'append to many topics in turn',
    kind: 'append-topics',
    contenders: ['bookend', 'lmdb', 'better-sqlite3'],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'topics',
    points: byParameter([1, 1000], [1, 10, 100, 1000, 10_000], small(500_000)),
  },
  {
    name: 'latency',
    section: 'Latency',
    title: 'one awaited append at a time',
    kind: 'latency',
    contenders: ['bookend', 'bare', 'write-sync', 'lmdb', 'better-sqlite3', 'classic-level', ...javaPeers],
    headline: 'p50Us',
    better: 'less',
    points: atOnePoint(mostOneByOne),
  },
  {
    name: 'paced',
    section: 'Latency',
    title: 'append at 10,000/s to its acknowledgement',
    kind: 'paced',
    contenders: ['bookend', 'write-sync', 'lmdb', 'better-sqlite3', 'classic-level'],
    headline: 'p999Us',
    better: 'less',
    points: atOnePoint(mostOneByOne),
  },
  {
    name: 'follow',
    section: 'Latency',
    title: 'append at 10,000/s to a following reader',
    kind: 'follow',
    contenders: ['bookend', ...javaPeers],
    headline: 'p50Us',
    better: 'less',
    points: atOnePoint(mostOneByOne),
  },
  {
    name: 'process-paced',
    section: 'Latency',
    title: 'append at 10,000/s to a handler in a reader thread',
    kind: 'process-paced',
    contenders: ['bookend'],
    headline: 'p50Us',
    better: 'less',
    points: atOnePoint(mostOneByOne),
  },
  {
    name: 'read',
    section: 'Read',
    title: 'read in order to the application',
    kind: 'read',
    contenders: ['bookend', 'write-sync', 'lmdb', 'better-sqlite3', 'classic-level', ...javaPeers],
    headline: 'messagesPerSecond',
    better: 'more',
    fill: { kind: 'fill', when: 'once' },
    points: bySize(),
  },
  {
    name: 'read-batches',
    section: 'Read',
    title: 'read().batches()',
    kind: 'read-batches',
    contenders: ['bookend'],
    headline: 'messagesPerSecond',
    better: 'more',
    fill: { kind: 'fill', when: 'once' },
    points: atOnePoint(),
  },
  {
    name: 'scan',
    section: 'Read',
    title: 'scan with forEach',
    kind: 'scan',
    contenders: ['bookend', ...javaPeers],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'readers',
    fill: { kind: 'fill', when: 'once' },
    // A scan is so fast that the usual data would be over before it says much.
    points: byParameter([1, 2], [1, 2], (scale) => scale.messages ?? 4 * countOf(scale, smallBytes)),
  },
  {
    name: 'get',
    section: 'Read',
    title: 'get of random offsets, hot',
    kind: 'get',
    contenders: [...peersWithGet, ...javaPeers],
    headline: 'messagesPerSecond',
    better: 'more',
    fill: { kind: 'fill', when: 'once' },
    points: atOnePoint(500_000),
  },
  {
    name: 'get-many',
    section: 'Read',
    title: 'getMany of random offsets, hot',
    kind: 'get-many',
    contenders: [...peersWithGet, ...javaPeers],
    headline: 'messagesPerSecond',
    better: 'more',
    parameter: 'batch',
    fill: { kind: 'fill', when: 'once' },
    points: byParameter([100, 1000], [10, 100, 1000, 10_000], small(500_000)),
  },
  {
    name: 'mixed',
    section: 'Read',
    title: '100 appends, 100 random lookups, in turn',
    kind: 'mixed',
    contenders: peersWithGet,
    headline: 'messagesPerSecond',
    better: 'more',
    fill: { kind: 'fill', when: 'every round' },
    points: atOnePoint(500_000),
  },
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
  ...sharedCases,
  ...serverCases,
  {
    name: 'idle',
    section: 'At rest',
    title: 'CPU time of an open store that nobody uses',
    kind: 'idle',
    contenders: ['bookend', 'lmdb', 'better-sqlite3', 'classic-level'],
    headline: 'cpuMsPerSecond',
    better: 'less',
    points: atOnePoint(mostOneByOne),
  },
  ...(
    [
      ['transfer-file', 'to a file', ['read-write', 'mmap-write', 'sendfile', 'copy-file-range']],
      ['transfer-unix', 'to a unix socket', ['read-write', 'mmap-write', 'sendfile']],
      ['transfer-tcp', 'to TCP on this machine', ['read-write', 'mmap-write', 'sendfile']],
    ] as const
  ).map(
    ([kind, title, contenders]): BenchCase => ({
      name: kind,
      section: 'Moving bytes',
      title: `segments ${title}`,
      kind,
      contenders,
      headline: 'bytesPerSecond',
      better: 'more',
      points: (scale) => [{ messageBytes: mebibyte, parameter: 0, messages: scale.messages === undefined ? 256 : 4 }],
    }),
  ),
]

/** Written and read once, gigabytes each, by the product alone: they run only if they are named. */
export const longCaseNames = ['cold-read', 'idle-memory'] as const
export type LongCaseName = (typeof longCaseNames)[number]

export const longCaseTitles: Readonly<Record<LongCaseName, string>> = {
  'cold-read': 'event loop delay during a read from a dropped page cache',
  'idle-memory': 'resident memory, idle for two TTLs',
}

/** Where the time of a message goes, by CPU profiles of every thread. */
export const stagesCaseName = 'stages'

/** Left out of a short run unless they are named. */
export const lengthyCaseNames: readonly string[] = benchCases.filter(({ isLong }) => isLong).map(({ name }) => name)

export const caseNames: readonly string[] = [...benchCases.map(({ name }) => name), stagesCaseName, ...longCaseNames]
