import type { ContenderName } from './contenders/catalogue.js'
import { describeValue } from './format.js'
import { statedGigabytes } from './long-cases.js'
import type { Results, SeriesKey } from './results.js'
import type { Spread } from './statistics.js'

export type Verdict = 'reached' | 'NOT reached' | 'not measured' | 'stated only'

/** One of the figures the product promises, and what this run says about it. */
export interface Target {
  readonly figure: string
  readonly reach: string
  readonly measured: string
  readonly verdict: Verdict
}

/** The figures are stated for this message size, unless they name another. */
const smallBytes = 100
const million = 1e6

const at = (caseName: string, parameter = 0, messageBytes = smallBytes): Omit<SeriesKey, 'contender'> => ({
  caseName,
  messageBytes,
  parameter,
})

/** Payload of a quick run. A shorter one says something, but not whether a figure is kept. */
const statedBytes = 136 * 1024 * 1024

/** Holds the results against the promised figures, in the order in which they are promised. */
export function judge(results: Results, { dataBytes }: { readonly dataBytes: number }): Target[] {
  const isShort = dataBytes < statedBytes
  return targetsOf(results).map((told) =>
    isShort && told.verdict !== 'not measured' ? { ...told, verdict: 'stated only' } : told,
  )
}

function targetsOf(results: Results): Target[] {
  const { rate, over, most, apart, two } = judgesOf(results)
  return [
    over('offer until published, over lmdb-js', at('append'), 'lmdb', 12),
    over('offer until published, over better-sqlite3', at('append'), 'better-sqlite3', 15),
    over('offer until published, over buffered writeSync', at('append'), 'write-sync', 2),
    over('offer until published, 1 KiB, over memcpy into a mapping', at('append', 0, 1024), 'memcpy', 0.6),
    rate('append, 1,000 in flight', at('in-flight', 1000), 'messagesPerSecond', 2 * million),
    over(
      'append at level disk, 1,000 in flight, over better-sqlite3 FULL',
      at('append-disk', 1000),
      'better-sqlite3',
      10,
    ),
    over('append at level disk, 1,000 in flight, over lmdb-js with sync', at('append-disk', 1000), 'lmdb', 1.5),
    rate('scan, one reader, verifying checksums', at('scan', 1), 'messagesPerSecond', 12 * million),
    rate('scan, one reader, verified before', at('scan', 1), 'againMessagesPerSecond', 30 * million),
    two('scan, two readers over one', 'scan', 'messagesPerSecond', 1.8),
    two('scan, two readers over one, verified before', 'scan', 'againMessagesPerSecond', 1.8),
    rate('read() to the application', at('read'), 'messagesPerSecond', 4 * million),
    over('read() over lmdb-js getRange', at('read'), 'lmdb', 6),
    over('getMany of 1,000 random offsets, hot, over lmdb-js get', at('get-many', 1000), 'lmdb', 1),
    most('append to a follow reader at 10,000/s, p50', at('follow'), 'p50Us', 30),
    most('append to a follow reader at 10,000/s, p99.9', at('follow'), 'p999Us', 1000),
    rate(
      'append at an expected offset, 1,000 in flight, over plain',
      at('append-expected', 1000),
      'rateOverPlain',
      1 / 1.1,
    ),
    rate('append with an id, 1,000 in flight, over plain', at('append-id', 1000), 'rateOverPlain', 1 / 1.3),
    rate(
      'an append and an acknowledgement at one moment, 1,000 in flight, over plain',
      at('transact', 1000),
      'rateOverPlain',
      0.8,
    ),
    over(
      'an append and an acknowledgement at one moment, over better-sqlite3',
      at('transact', 1000),
      'better-sqlite3',
      5,
    ),
    rate('last() of random keys over 80 segments, 100 in flight', at('find-key'), 'messagesPerSecond', 10_000),
    rate('last() of keys that were asked for before', at('find-key'), 'knownPerSecond', 100_000),
    most('last() of a key that is nowhere, 80 segments, page cache dropped', at('find-key'), 'coldMissMs', 15),
    most('offsetAt, hot', at('find-time'), 'eachMs', 0.15),
    rate('a group that is given 1 %, over one that looks at all', at('find-group'), 'rateOverTested', 10),
    most(
      'processor time for the side index of a segment of 128 MiB, its walk included',
      at('find-cost'),
      'segmentCpuMs',
      250,
    ),
    rate('offers to an indexed topic, over one that is not', at('find-append'), 'rateOverPlain', 0.95),
    apart('an append at 10 GB of log against 10 MB', at('backlog', 10e9), at('backlog', 10e6), 0.05),
    most('open after kill -9 with 10 GB written', at('recovery', 10e9, 1000), 'openMs', 1000),
    ...[1, 2, 4].flatMap((threads) =>
      (
        [
          ['threads', smallBytes, ''],
          ['threads-1k', 1024, ' of 1 KiB'],
        ] as const
      ).flatMap(([name, bytes, what]) => [
        over(`appends${what} from ${threads} threads, over postMessage`, at(name, threads, bytes), 'post-message', 5),
        over(`appends${what} from ${threads} threads, over lmdb-js`, at(name, threads, bytes), 'lmdb', 3),
      ]),
    ),
    most('a lone append beside a flood of another thread, p50', at('threads-lone'), 'p50Us', 1000),
    most('a lone append beside a flood of another thread, p99', at('threads-lone'), 'p99Us', 10_000),
    rate('eight threads that flood, least over most', at('threads-fair', 8), 'leastOverMost', 0.8),
    two('JSON made and appended, two threads over one', 'threads-json', 'messagesPerSecond'),
    two('batches() of two threads over one', 'threads-read', 'messagesPerSecond'),
    two('consumed and acknowledged, two threads over one', 'threads-consume', 'messagesPerSecond'),
    rate('offers with 50 followers, over the same alone', at('followers', 50), 'rateOverAlone', 0.95),
    ...serverTargets(results),
    ...longTargets(results),
  ]
}

function judgesOf(results: Results) {
  const product = (key: Omit<SeriesKey, 'contender'>) => ({ ...key, contender: 'bookend' }) as const
  return {
    /** At least so much. */
    rate(figure: string, key: Omit<SeriesKey, 'contender'>, name: string, least: number): Target {
      const spread = results.spread(product(key), name)
      return target(
        figure,
        `>= ${describeValue(name, least)}`,
        spread,
        (value) => describeValue(name, value),
        (value) => value >= least,
      )
    },
    /** At most so much. */
    most(figure: string, key: Omit<SeriesKey, 'contender'>, name: string, greatest: number): Target {
      const spread = results.spread(product(key), name)
      return target(
        figure,
        `<= ${describeValue(name, greatest)}`,
        spread,
        (value) => describeValue(name, value),
        (value) => value <= greatest,
      )
    },
    /** At least so many times a peer, round by round. */
    over(figure: string, key: Omit<SeriesKey, 'contender'>, peer: ContenderName, least: number): Target {
      const ratio = results.ratio(product(key), { ...key, contender: peer }, 'messagesPerSecond')
      return target(
        figure,
        `>= x${least}`,
        ratio,
        (value) => `x${value.toFixed(2)}`,
        (value) => value >= least,
      )
    },
    /** With a parameter of two over one, which is to be at least so many times as good; without that, it is only told. */
    two(figure: string, caseName: string, name: string, least?: number): Target {
      const told = target(
        figure,
        least === undefined ? '-' : `>= x${least}`,
        results.ratio(product(at(caseName, 2)), product(at(caseName, 1)), name),
        (value) => `x${value.toFixed(2)}`,
        (value) => value >= (least ?? 0),
      )
      return least === undefined && told.verdict === 'reached' ? { ...told, verdict: 'stated only' } : told
    },
    /** Not further apart than so much of the second. */
    apart(figure: string, key: Omit<SeriesKey, 'contender'>, than: Omit<SeriesKey, 'contender'>, most: number): Target {
      const ratio = results.ratio(product(key), product(than), 'nsPerMessage')
      return target(
        figure,
        `within ${most * 100} %`,
        ratio,
        (value) => `x${value.toFixed(3)}`,
        (value) => value <= 1 + most,
      )
    },
  }
}

/** On servers, with and without a flush before each answer: against the same servers' client, one message at a time, and many. */
function serverTargets(results: Results): Target[] {
  const over = (replicas: number, flush: number, [what, caseName, least]: [string, string, number]) =>
    target(
      `offers on ${replicas === 1 ? 'one node' : 'three nodes'}${flush === 1 ? ', flushed' : ''}, over ${what}`,
      `>= x${least}`,
      results.ratio(
        { ...at('servers-append', flush), contender: `jetstream-r${replicas}` as ContenderName },
        { ...at(caseName, flush), contender: `nats-r${replicas}` as ContenderName },
        'messagesPerSecond',
      ),
      (value) => `x${value.toFixed(2)}`,
      (value) => value >= least,
    )
  const peers: [string, string, number][] = [
    ['one publish at a time', 'servers-latency', 10],
    ['1,000 publishes under way', 'servers-append', 1.5],
  ]
  return peers.flatMap((peer) => [1, 3].flatMap((replicas) => [0, 1].map((flush) => over(replicas, flush, peer))))
}

/** Stated for a size, and for a cold cache: a smaller or hotter run says something, but not whether they are kept. */
function longTargets(results: Results): Target[] {
  const judgeLong = (caseName: keyof typeof statedGigabytes, figure: string, name: string, most: number): Target => {
    const reach = `<= ${describeValue(name, most)}`
    const figures = results.all().find((series) => series.caseName === caseName)?.rounds[0]
    if (figures === undefined || figures === null) return { figure, reach, measured: '-', verdict: 'not measured' }
    const gigabytes = figures.payloadBytes! / 1e9
    const isHot = figures.isCold === 0
    const measured = `${describeValue(name, figures[name]!)} at ${gigabytes} GB${isHot ? ', hot' : ''}`
    if (isHot || gigabytes < statedGigabytes[caseName]) return { figure, reach, measured, verdict: 'stated only' }
    return { figure, reach, measured, verdict: verdictOf(figures[name]! <= most) }
  }
  return [
    judgeLong('cold-read', 'event loop delay during a cold 4 GB read, p99.9', 'loopP999Ms', 5),
    judgeLong('idle-memory', 'resident memory beyond an empty log, idle two TTLs, 10 GB', 'growthBytes', 20e6),
  ]
}

function target(
  figure: string,
  reach: string,
  spread: Spread | undefined,
  describe: (value: number) => string,
  isReached: (value: number) => boolean,
): Target {
  if (spread === undefined) return { figure, reach, measured: '-', verdict: 'not measured' }
  const { median, min, max, count } = spread
  const measured = count === 1 ? describe(median) : `${describe(median)} (${describe(min)} to ${describe(max)})`
  return { figure, reach, measured, verdict: verdictOf(isReached(median)) }
}

function verdictOf(isReached: boolean): Verdict {
  return isReached ? 'reached' : 'NOT reached'
}
