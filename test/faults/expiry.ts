/**
 * Small random logs of messages that have expired, will, or never do, in segments written and in the one being written, read in every way: streams, lookups, by key and by header,
 * counts, scans, consumers and processors, before and behind a restart. Must: who reads sees those that count, all of them and no other.
 *
 * Mutants it catches: expiry not judged by streams and consumers, by lookups, by what counts the messages of a chunk.
 */
import path from 'node:path'
import { type Log, type Message, open } from '../../src/index.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const sum = new URL('../../../test/fixtures/scan-sum.mjs', import.meta.url)
const day = 86_400_000

export const expiry: Fault = {
  name: 'expiry',
  isRoot: false,
  weight: 5,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('logs with expired messages read in every way')
    while (context.more(row.runs, 10)) {
      const directory = path.join(context.scratch, `expiry-${row.runs}`)
      try {
        const alive = await fill(directory, context, row.runs)
        for (const life of [1, 2])
          for (const [how, offsets] of await readings(directory, life)) {
            if (String(offsets) === String(alive(how))) continue
            row.failures.push(`log ${row.runs}, life ${life}, ${how}: ${offsets}, and not ${alive(how)}`)
          }
      } catch (error) {
        row.failures.push(`log ${row.runs}: ${messageOf(error)}`)
      }
      row.runs += 1
    }
    return [row]
  },
}

/** @returns what each way of reading is to find */
async function fill(directory: string, context: Context, run: number): Promise<(how: string) => number[]> {
  const random = context.random(run)
  const log = await open(directory, { segmentBytes: 1 << 20, readers: 1 })
  const topic = log.topic('t')
  const alive: { offset: number; kind: string }[] = []
  for (let offset = 0; offset < 400; ) {
    const count = 1 + random.below(20)
    const kind = random.pick(['a', 'b'])
    const expiry = random.pick([{ expiresAt: random.below(Date.now()) }, { ttlMs: day + random.below(day) }, {}])
    const values = Array.from({ length: count }, () => new Uint8Array(random.below(12_000)))
    await topic.appendMany(values, { ...expiry, key: kind, headers: { kind } })
    if (expiry.expiresAt === undefined) alive.push(...values.map((_, index) => ({ offset: offset + index, kind })))
    offset += count
  }
  await log.close()
  return (how) => alive.filter(({ kind }) => !how.endsWith(' a') || kind === 'a').map(({ offset }) => offset)
}

async function readings(directory: string, life: number): Promise<[string, number[]][]> {
  const log = await open(directory, { readers: 1 })
  try {
    const topic = log.topic('t')
    const { next } = await topic.bounds()
    const all = Array.from({ length: next }, (_, offset) => offset)
    const each: [string, number[]][] = [
      ['read', await offsetsOf(topic.read())],
      ['read of a', await offsetsOf(topic.read({ where: { kind: 'a' } }))],
      ['byKey a', await offsetsOf(topic.byKey('a', { limit: next, reverse: false }))],
      ['getMany', (await topic.getMany(all)).flatMap((message) => message?.offset ?? [])],
      ['handled', await handled(log, `life-${life}`)],
    ]
    const lone: number[] = []
    for (const offset of all) if ((await topic.get(offset)) !== undefined) lone.push(offset)
    each.push(['get', lone])
    const { count } = await topic.scan<{ count: number }>(sum)
    const read = each[0][1].length
    if (count !== read || (await topic.count()) !== read) each.push([`scan, which counts ${count}`, []])
    return each
  } finally {
    await log.close()
  }
}

async function offsetsOf(messages: AsyncIterable<Message>): Promise<number[]> {
  const offsets: number[] = []
  for await (const { offset } of messages) offsets.push(offset)
  return offsets
}

/** All that a new group is given. */
async function handled(log: Log, group: string): Promise<number[]> {
  const offsets: number[] = []
  await using worker = log
    .topic('t')
    .group(group)
    .process(({ offset }) => void offsets.push(offset))
  await worker.idle()
  return offsets
}
