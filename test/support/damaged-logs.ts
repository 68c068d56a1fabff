/** Small random logs, random damage to their segments, and whether every way of reading says the same about what is left. */
import type { LogReport } from '../../src/storage/check/verify-log.js'
import { EveryWay, type Order, type Outcome } from './every-way.js'
import { payloadOf, type TestFrame } from './frames.js'
import { packIfWorth } from './packing.js'
import { checkedLog, repairedLog } from './repaired-log.js'
import { Seeded } from './seeded.js'
import type { SimulatedDisk } from './simulated-disk.js'
import { bootA, StorageLog } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const segmentBytes = 16 * 1024
const names = ['orders', 'audit', 'rare']

interface RandomLog {
  disk: SimulatedDisk
  values: Uint8Array[][]
}

export interface Agreement {
  /** Messages asked for, and those that `get` does not deliver; before and after the repair. */
  messages: number
  lost: number
  /** Messages that the calling thread found in memory. */
  hot: number
  disagreements: string[]
}

/**
 * Makes the log of this seed, damages it, and reads it in every way, as it is and repaired.
 * @param isPacked some of its segments are packed before
 */
export async function agreementOf(seed: number, isPacked = false): Promise<Agreement> {
  const random = new Seeded(seed)
  const { disk, values } = await randomLog(random, isPacked)
  const damages = damaged(disk, random)
  const agreement: Agreement = { messages: 0, lost: 0, hot: 0, disagreements: [] }
  const say = (stage: string) => (what: string) =>
    agreement.disagreements.push(`seed ${seed}, ${stage} (${damages.join(', ')}): ${what}`)
  const asItIs = simulatedWorld(disk.copy(), random.chance(0.5))
  await compare(asItIs, values, [], random, agreement, say('damaged'))
  const repaired = simulatedWorld(disk.copy(), random.chance(0.5))
  // What verify takes for lost is what a repair cannot bring back, of a segment that only lacks its header or its end too.
  const before = checkedLog(repaired).report
  repairedLog(repaired)
  const after = checkedLog(repaired).report
  await compare(repaired, values, [before, after], random, agreement, say('repaired'))
  return agreement
}

async function randomLog(random: Seeded, isPacked: boolean): Promise<RandomLog> {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes, now: () => 1_000 })
  // What is noise is not packed.
  const payload: typeof payloadOf = (...of) => payloadOf(...of).map((byte) => (isPacked ? 97 + (byte & 3) : byte))
  const values: Uint8Array[][] = names.map(() => [])
  const declared = new Set<number>()
  const message = (topic: number): TestFrame[] => {
    const value = payload(topic, values[topic].length, 16 + random.below(random.chance(0.1) ? 3_000 : 300))
    values[topic].push(value)
    const frames: TestFrame[] = declared.has(topic) ? [] : [{ declare: names[topic], topic }]
    declared.add(topic)
    return [...frames, { topic, value }]
  }
  const pick = () => (random.chance(0.05) ? 2 : random.below(2))
  const segments = 2 + random.below(4)
  const indexed = random.below(segments)
  for (let segment = 0; segment < segments; segment++) {
    // Of some segments a topic has nothing, or all.
    const only = random.chance(0.3) ? pick() : undefined
    for (let batch = random.below(14); batch >= 0; batch--) {
      if (declared.has(0) && random.chance(0.15)) {
        const group = Array.from({ length: 2 + random.below(4) }, () => payloadOf(0, 0, 0))
        const first = values[0].length
        const own = group.map((_, index) => payload(0, first + index, 20 + random.below(900)))
        values[0].push(...own)
        log.appendGroup(0, own)
      } else {
        log.append(Array.from({ length: 1 + random.below(6) }, () => message(only ?? pick())).flat())
      }
    }
    if (segment === segments - 1) break
    log.roll()
    if (segment < indexed) await log.index()
  }
  log.flush()
  for (let segment = 0; isPacked && segment < log.files.segmentOf(log.indexed); segment++)
    if (random.chance(0.8)) await packIfWorth(log, segment, 12)
  log.close(random.chance(0.5))
  return { disk: world.disk, values }
}

/** One to four accidents in the segments. Returns what they were. */
function damaged(disk: SimulatedDisk, random: Seeded): string[] {
  const accidents: string[] = []
  for (let count = random.below(4); count >= 0; count--) {
    const file = `/log/log/${random.pick(disk.list('/log/log').filter((name) => name.endsWith('.seg')))}`
    const bytes = disk.bytes(file)
    const kind = random.unit()
    // Where the messages are, more often than not.
    const reach = random.chance(0.8) ? 6_000 : bytes.length
    const at = random.below(Math.min(reach, bytes.length))
    if (kind < 0.6) bytes[at] ^= 1 << random.below(8)
    else if (kind < 0.75) bytes.fill(0, at & -512, (at & -512) + 512)
    else if (kind < 0.9) for (let next = at & -512; next < (at & -512) + 512; next++) bytes[next] = random.below(256)
    else if (kind < 0.95) disk.truncate(file, at)
    else disk.drop(file)
    accidents.push(`${file.slice(-9, -4)}@${at}:${kind.toFixed(2)}`)
    if (disk.list('/log/log').every((name) => !name.endsWith('.seg'))) break
  }
  return accidents
}

async function compare(
  world: ReturnType<typeof simulatedWorld>,
  values: readonly Uint8Array[][],
  reports: readonly LogReport[],
  random: Seeded,
  agreement: Agreement,
  say: (what: string) => void,
): Promise<void> {
  const log = new StorageLog(world, { segmentBytes, bootId: bootA })
  try {
    for (const topic of log.recovered.topics) {
      if (topic.first >= topic.next) continue
      const ways = new EveryWay(log, topic)
      const tell = (what: string) => say(`topic ${topic.name} ${topic.first} to ${topic.next}: ${what}`)
      try {
        const judge = await compareTopic(ways, values[topic.id], random, agreement, tell)
        for (const report of reports) compareVerify(report, topic, judge, ways, tell)
      } catch (error) {
        tell(error instanceof Error ? (error.stack ?? error.message) : String(error))
      }
    }
  } finally {
    log.close(false)
  }
}

async function compareTopic(
  ways: EveryWay,
  values: readonly Uint8Array[],
  random: Seeded,
  agreement: Agreement,
  tell: (what: string) => void,
): Promise<Outcome> {
  const judge = await ways.get()
  const there = [...judge.delivered.keys()]
  agreement.messages += ways.next - ways.first
  agreement.lost += ways.next - ways.first - there.length
  for (const [offset, value] of judge.delivered)
    if (Buffer.compare(value, values[offset]) !== 0) tell(`get delivers other bytes as ${offset}`)
  const order: Order = random.pick(['topic', 'key', 'none'])
  const outcomes = [
    // First, so that the others too begin with what is in memory.
    await ways.hot((count) => {
      agreement.hot += count
    }),
    await ways.stream('messages'),
    await ways.stream('batches'),
    await ways.stream('borrowed chunks'),
    await ways.consume(),
    await ways.process(order, random.pick(['copied', 'mapped']), 1 + random.below(20)),
  ]
  for (const outcome of outcomes) compareOutcome(outcome, judge, ways, tell)
  compareDelivered(await ways.getMany(there), judge, there, tell)
  await compareScans(ways, judge, random, tell)
  return judge
}

/** What `get` delivers is delivered, once and right; what it does not is reported. */
function compareOutcome(outcome: Outcome, judge: Outcome, ways: EveryWay, tell: (what: string) => void): void {
  const reported = new Set<number>()
  for (const { first, end } of outcome.reported) for (let at = first; at < end; at++) reported.add(at)
  for (let offset = ways.first; offset < ways.next; offset++) {
    const isThere = judge.delivered.has(offset)
    if (isThere && reported.has(offset)) tell(`the ${outcome.way} passes over ${offset}`)
    if (!isThere && !reported.has(offset)) tell(`the ${outcome.way} does not report ${offset}`)
  }
  compareDelivered(outcome, judge, [...judge.delivered.keys()], tell)
}

function compareDelivered(
  { way, delivered, repeated }: Outcome,
  judge: Outcome,
  expected: readonly number[],
  tell: (what: string) => void,
): void {
  for (const offset of expected) {
    const value = delivered.get(offset)
    if (value === undefined) tell(`the ${way} does not deliver ${offset}`)
    else if (Buffer.compare(value, judge.delivered.get(offset) as Uint8Array) !== 0)
      tell(`the ${way} delivers other bytes as ${offset}`)
  }
  for (const offset of delivered.keys()) if (!judge.delivered.has(offset)) tell(`only the ${way} delivers ${offset}`)
  for (const offset of repeated) tell(`the ${way} delivers ${offset} twice`)
}

/** A scan succeeds where nothing is lost, and only there. */
async function compareScans(
  ways: EveryWay,
  judge: Outcome,
  random: Seeded,
  tell: (what: string) => void,
): Promise<void> {
  const parts = 1 + random.below(8)
  const isThere = (offset: number) => judge.delivered.has(offset)
  try {
    await ways.scan(ways.first, ways.next, parts)
    if (judge.delivered.size < ways.next - ways.first) tell('a scan succeeds over what is lost')
  } catch (error) {
    const { code, offset, next } = error as { code?: string; offset?: number; next?: number }
    if (code !== 'BOOKEND_CORRUPT' || offset === undefined) throw error
    for (let at = offset; at < Math.min(next ?? ways.next, ways.next); at++)
      if (isThere(at)) tell(`a scan that fails at ${offset} passes over ${at}`)
  }
  for (let from = ways.first; from < ways.next; from++) {
    if (!isThere(from)) continue
    let to = from
    while (to < ways.next && isThere(to)) to += 1
    const run = Array.from({ length: to - from }, (_, index) => from + index)
    compareDelivered(await ways.scan(from, to, parts), judge, run, tell)
    from = to
  }
}

/** What `verify` says is lost is not delivered, and what is not delivered is lost to it, by the name under which the log is opened. */
function compareVerify(
  report: LogReport,
  { name }: { name: string },
  judge: Outcome,
  ways: EveryWay,
  tell: (what: string) => void,
): void {
  const lost = [...report.damages, ...report.remarks].flatMap((found) => found.lost)
  const own = lost.filter(({ topic }) => topic === name)
  for (let offset = ways.first; offset < ways.next; offset++) {
    const isLost = own.some(({ from, to = Number.POSITIVE_INFINITY }) => offset >= from && offset < to)
    if (isLost === judge.delivered.has(offset)) tell(`verify takes ${offset} for ${isLost ? 'lost' : 'there'}`)
  }
}
