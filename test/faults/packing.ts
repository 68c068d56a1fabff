/**
 * Packing. The power cut, and the process killed, at each call that a packing makes, on the simulated disk; a real process killed at each call on the
 * new file, on the control file and at the name; a wrong bit in packed blocks; and streams, scans, groups, lookups and followers in the middle of one packing
 * after the other. Must: opens after each, nothing acknowledged lost, packs on; a wrong bit costs one block at most; every byte right.
 *
 * Mutants it catches: packed segments in a log that does not say so, a block that is unpacked whatever its checksum says, one table instead of
 * two.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
// @ts-expect-error: plain JavaScript, shared with programs
import { packable } from '../../../test/fixtures/payload.mjs'
import { open, type Topic } from '../../src/index.js'
import { lostBlocks, packedFile } from '../support/packed-file.js'
import { cutWhilePacking } from '../support/packing-cuts.js'
import type { Seeded } from '../support/seeded.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'
import { buildInjector, JudgedLog, pause, underInjector, WriterProcess } from './writer-process.js'

const mostFailures = 10

export const packing: Fault = {
  name: 'packing',
  isRoot: false,
  weight: 60,
  async run(context: Context): Promise<Row[]> {
    const cuts = await cut(context.part(4))
    const blocks = damage(context.part(3))
    const kills = await kill(context.part(2))
    return [cuts, blocks, kills, await read(context.part(1))]
  },
}

async function cut(context: Context): Promise<Row> {
  const row = emptyRow('power cut or killed at each call of a packing, simulated disk')
  let between = 0
  let calls = 0
  for (let log = 0; context.more(log, 8) && row.failures.length < mostFailures; log++) {
    try {
      const found = await cutWhilePacking(context.random(log))
      row.runs += found.images
      calls += found.calls
      between += found.between
    } catch (error) {
      row.failures.push(`log ${log}: ${messageOf(error)}`)
    }
  }
  row.note = `${calls} calls, ${between} times one segment was packed and the next was not`
  return row
}

function damage(context: Context): Row {
  const row = emptyRow('packed blocks with a wrong bit')
  while (context.more(row.runs, 400) && row.failures.length < mostFailures) {
    const sample = packedFile(context.seed * 100_000 + row.runs, 'deflate')
    const { file, random, size } = sample
    row.runs += 1
    // Not in the header: then its footer says that it is packed, and nothing is lost.
    const at = 64 + random.below(size - 64)
    file.bytes[at] ^= 1 << random.below(8)
    try {
      const lost = lostBlocks(sample)
      if (lost > 1) row.failures.push(`${lost} blocks are lost to one bit at ${at}`)
    } catch (error) {
      row.failures.push(`a bit at ${at}: ${messageOf(error)}`)
    }
  }
  return row
}

/** Which calls, on files whose path has this in it. */
const places = [
  { part: '.seg.new', calls: ['open', 'ftruncate', 'pwrite', 'fsync', 'fdatasync', 'unlink'] },
  { part: '/packed/log/control', calls: ['open', 'pwrite', 'fsync', 'fdatasync', 'rename'] },
  { part: '/packed/log/log', calls: ['rename', 'fsync'] },
] as const
const work = ['--level', 'disk', '--records', '1200', '--topics', '0', '--text', '9000', '--trim-behind', '1000000']

async function kill(context: Context): Promise<Row> {
  const row = emptyRow('killed at each call of a packing')
  const library = buildInjector(context.scratch)
  if (library === undefined) return { ...row, isLeftOut: true, note: 'no C compiler' }
  const output = path.join(context.acknowledgements, 'packing')
  const directory = path.join(context.scratch, 'packed', 'log')
  const trace = path.join(context.scratch, 'packing-trace')
  const live = async (rules: string, part: string) => {
    rmSync(trace, { force: true })
    const writer = new WriterProcess(directory, output, work, underInjector(library, rules, part, trace))
    const isLate = await writer.endsWithin(60_000)
    return { ...(await writer.ended), isLate, said: writer.said(), errors: writer.errors }
  }
  const points: { part: string; call: string; at: number }[] = []
  for (const { part, calls } of places) {
    rmSync(directory, { recursive: true, force: true })
    const whole = await live('', part)
    if (!whole.said.isDone) row.failures.push(`the undisturbed writer failed: ${whole.errors} ${whole.said.codes}`)
    const lines = existsSync(trace) ? readFileSync(trace, 'latin1').split('\n') : []
    for (const call of calls) {
      const count = lines.filter((line) => line.startsWith(`${call} `)).length
      for (let at = 1; at <= count; at++) points.push({ part, call, at })
    }
  }
  const random = context.random(3)
  let unreached = 0
  let killed = 0
  for (let left = points.slice(), tried = 0; left.length > 0 && context.more(tried, 30); tried++) {
    const { part, call, at } = left.splice(random.below(left.length), 1)[0]
    const name = `${call} ${at} of ${part}`
    const log = new JudgedLog(directory, output)
    const life = await live(`${call}:KILL:${at}`, part)
    if (life.signal === 'SIGKILL') killed += 1
    // Threads share the work differently from run to run.
    else unreached += 1
    if (life.isLate) row.failures.push(`${name}: came to no end`)
    await log.judge(row, life.said, name)
    const onwards = await live('', part)
    if (!onwards.said.isDone) row.failures.push(`${name}: does not go on: ${onwards.errors} ${onwards.said.codes}`)
    await log.judge(row, onwards.said, `after ${name}`)
  }
  row.note = `${points.length} points known, ${killed} killed, ${unreached} not reached`
  return row
}

const scan = new URL('../../../test/fixtures/scan-packable.mjs', import.meta.url)

/** Everybody reads while one segment after the other is packed. */
async function read(context: Context): Promise<Row> {
  const row = emptyRow('readers while segments are packed')
  const directory = path.join(context.scratch, 'read-while-packed')
  rmSync(directory, { recursive: true, force: true })
  const options = { segmentBytes: 1 << 20, readers: 2, flushIntervalMs: 20 }
  const log = await open(directory, { ...options, compress: { afterMs: 0, codec: 'deflate' } })
  const topic = log.topic('text')
  let sent = 0
  const append = async (count: number) => {
    for (const until = sent + count; sent < until; sent++)
      while (!topic.offer(packable(sent), { key: keyOf(sent) })) await new Promise(setImmediate)
    await log.flush()
  }
  await append(10)
  const follower = await open(directory, { readOnly: true, follow: true, readers: 1 })
  const end = new AbortController()
  const looks = {
    ...looksAt(topic, context.random(4)),
    ...named('follower: ', looksAt(follower.topic('text'), context.random(5))),
  }
  const counts = Object.fromEntries(Object.keys(looks).map((name) => [name, 0]))
  const loops = Object.entries({ ...looks, group: groupOf(topic, end.signal) }).map(async ([name, look]) => {
    counts[name] ??= 0
    try {
      while (!end.signal.aborted) counts[name] += await look()
    } catch (error) {
      if (!end.signal.aborted) row.failures.push(`${name}: ${messageOf(error)}`)
    }
  })
  const packed = () => log.stats().segments.packed
  while (row.failures.length === 0 && context.more(packed(), 100)) {
    const before = packed()
    // More than a segment: one more is sealed.
    await append(300)
    while (packed() === before && row.failures.length === 0) await pause(2)
  }
  // Each has looked once more at what is packed now, and the group is through.
  const then = { ...counts }
  const isLeft = (name: string) => (name === 'group' ? counts[name] < sent : counts[name] === then[name])
  while (row.failures.length === 0 && Object.keys(counts).some(isLeft)) await pause(2)
  end.abort()
  await Promise.all(loops)
  row.runs = packed()
  const { errors } = log.stats()
  if (errors.count > 0) row.failures.push(`an error in the background: ${errors.last}`)
  await follower.close()
  await log.close()
  row.note = Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
  return row
}

function keyOf(offset: number): string {
  return `k${offset % 50}`
}

function textOf(key: Uint8Array | undefined): string {
  return Buffer.from(key ?? []).toString()
}

function named<T>(prefix: string, all: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(all).map(([name, one]) => [prefix + name, one]))
}

function check({ offset, value }: { offset: number; value: Uint8Array }, expected = offset): void {
  if (offset !== expected) throw new Error(`offset ${offset} in the place of ${expected}`)
  if (Buffer.compare(value, packable(offset)) !== 0) throw new Error(`message ${offset} has other bytes`)
}

/** Ways to look at a part of the messages: each says at how many it has looked. */
function looksAt(topic: Topic<Uint8Array>, random: Seeded): Record<string, () => Promise<number>> {
  const place = async () => random.below((await topic.bounds()).next)
  return {
    async stream() {
      const from = await place()
      let next = from
      for await (const message of topic.read({ from, to: from + 400 })) check(message, next++)
      return next - from
    },
    async scan() {
      const from = await place()
      const { count } = await topic.scan<{ count: number }>(scan, { from, to: from + 2_000 })
      return count
    },
    async get() {
      const offset = await place()
      const message = await topic.get(offset)
      if (message === undefined) throw new Error(`message ${offset} is missing`)
      check(message, offset)
      return 1
    },
    async getMany() {
      const next = await place()
      const offsets = Array.from({ length: 20 }, () => random.below(next + 1))
      for (const [index, message] of (await topic.getMany(offsets)).entries()) {
        if (message === undefined) throw new Error(`message ${offsets[index]} is missing`)
        check(message, offsets[index])
      }
      return offsets.length
    },
    async byKey() {
      const before = await place()
      let seen = 0
      for await (const message of topic.byKey(keyOf(before), { limit: 20 })) {
        check(message)
        if (textOf(message.key) !== keyOf(before)) throw new Error(`message ${message.offset} has another key`)
        seen += 1
      }
      return seen
    },
  }
}

/** One after the other, as a group gets them. */
function groupOf(topic: Topic<Uint8Array>, signal: AbortSignal): () => Promise<number> {
  const deliveries = topic.group('readers').consume({ from: 'first', signal })[Symbol.asyncIterator]()
  let next = 0
  return async () => {
    const { value: message, done } = await deliveries.next()
    if (done === true) throw new Error('the group came to its end')
    check(message, next++)
    await message.ack()
    return 1
  }
}
