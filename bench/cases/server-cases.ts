/** Cases of a log on NATS servers, beside one in a directory, and the servers' own client. */
import type { ContenderName } from '../contenders/catalogue.js'
import type { ServerJobKind } from '../servers/cases.js'
import type { BenchCase, Point, Scale } from './bench-case.js'
import { smallBytes } from './points.js'

const mostMessages = 40_000
/** Each waits for a flush of the servers' device. */
const mostOneByOne = 3_000
/** Slow enough that everybody keeps up. */
const followedRate = 1_000

const contenders: readonly ContenderName[] = ['bookend', 'jetstream-r1', 'jetstream-r3', 'nats-r1', 'nats-r3']

/** Without and with a flush before each acknowledgement. */
const byFlush =
  (most: number) =>
  (scale: Scale): Point[] =>
    [0, 1].map((parameter) => ({ ...atOnce(most)(scale)[0]!, parameter }))

const atOnce =
  (most: number) =>
  (scale: Scale): Point[] => [
    { messageBytes: smallBytes, parameter: 0, messages: Math.min(most, scale.messages ?? most) },
  ]

const rate = (kind: ServerJobKind, title: string, points: BenchCase['points'], more: Partial<BenchCase> = {}) =>
  ({
    name: kind,
    section: 'Servers',
    title,
    kind,
    contenders,
    headline: 'messagesPerSecond',
    better: 'more',
    isLong: true,
    points,
    ...more,
  }) satisfies BenchCase

const flush = { parameter: 'flush' } as const
const latency = { headline: 'p50Us', better: 'less' } as const

export const serverCases: readonly BenchCase[] = [
  rate('servers-append', 'offer until stored', byFlush(mostMessages), flush),
  rate('servers-in-flight', 'awaited append, 1,000 writers', byFlush(mostMessages), flush),
  rate('servers-latency', 'one awaited append at a time', byFlush(mostOneByOne), { ...flush, ...latency }),
  rate('servers-follow', 'append at 1,000/s to a following reader', atOnce(mostMessages), {
    ...latency,
    ratePerSecond: followedRate,
  }),
  rate('servers-read', 'read in order to the application', atOnce(mostMessages)),
  rate('servers-consume', 'consumed and acknowledged, each confirmed', atOnce(mostMessages)),
]
