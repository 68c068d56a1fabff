/** Logs of test/fixtures/logs, one for each thing that the format can say: every release opens them, reads what they hold and goes on. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import zlib, { inflateRawSync } from 'node:zlib'
import { type Log, open } from 'bookend'
import { expect, it } from 'vitest'
import { findExtent } from '../../src/storage/check/log-extent.js'
import { segmentTasks } from '../../src/storage/check/verify-log.js'
import { verifySegment } from '../../src/storage/check/verify-segment.js'
import { nodeDisk } from '../../src/storage/files/disk.js'
import { codedFailureOf, collect, contentOf, fixture, openLog, temporaryFolder } from './support.js'

function unpacked(name: string): string {
  const directory = temporaryFolder()
  const files = JSON.parse(readFileSync(fixture(`logs/${name}.json`), 'utf8')) as Record<string, string>
  for (const [file, packed] of Object.entries(files)) {
    const where = path.join(directory, file)
    mkdirSync(path.dirname(where), { recursive: true })
    writeFileSync(where, inflateRawSync(Buffer.from(packed, 'base64')))
  }
  return directory
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

/** Looks without changing anything, then as the owner, twice, who appends. */
async function inEveryWay(name: string, look: (log: Log, life: number) => Promise<void>): Promise<void> {
  const directory = unpacked(name)
  const reader = await open(directory, { readOnly: true, readers: 1 })
  await look(reader, 0)
  await reader.close()
  for (const life of [0, 1]) {
    const log = await openLog(directory)
    expect(log.stats().recovery).toMatchObject({ damages: [], tornBytes: 0 })
    await look(log, life)
    await log.topic('orders').append(new Uint8Array([99]), { key: 'later' })
    await log.close()
  }
}

it('whole: keys, headers, atomic groups, trims, groups, a group of a follower', async () => {
  await inEveryWay('whole', async (log, life) => {
    expect(await log.topics()).toEqual(['names', 'orders'])
    const orders = log.topic('orders')
    expect(await orders.bounds()).toEqual({ first: 3, next: 60 + life })
    const all = await collect(orders.read())
    expect(all.map(({ value }) => value[0])).toEqual([...numbers(3, 60), ...(life === 1 ? [99] : [])])
    expect(all.slice(37, 47).map(({ keyText }) => keyText)).toEqual(numbers(40, 50).map((index) => `k${index % 3}`))
    expect(all[40].headers).toEqual({ type: 'paid', é: '✓' })
    expect((await log.topic('names').get(0))?.value.length).toBe(0)
  })
  const directory = unpacked('whole')
  const log = await openLog(directory)
  const group = log.topic('orders').group('billing')
  expect(await group.position()).toMatchObject({ committed: 3, next: 60, lag: 56 })
  const follower = await open(directory, { readOnly: true, follow: true, readers: 1 })
  expect(await follower.topic('orders').group('tail').position()).toMatchObject({ committed: 33 })
  await follower.close()
})

it('repaired: what was set aside stays reported, and everything around it is delivered', async () => {
  await inEveryWay('repaired', async (log) => {
    const orders = log.topic('orders')
    const error = await codedFailureOf(() => collect(orders.read()))
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 4, next: 5 })
    expect((await collect(orders.read({ to: 4 }))).map(({ value }) => value[0])).toEqual(numbers(0, 4))
    expect((await collect(orders.read({ from: 5, to: 40 }))).map(({ value }) => value[0])).toEqual(numbers(5, 40))
  })
})

it('moved: a message keeps its offset, its time and what it is, in the place to which it was moved', async () => {
  await inEveryWay('moved', async (log, life) => {
    const [message] = await collect(log.topic('dead').read())
    expect(message).toMatchObject({ offset: 0, keyText: 'old', headers: { from: 'afar' } })
    expect([...message.value]).toEqual([7])
    const orders = log.topic('orders')
    expect(await orders.bounds()).toEqual({ first: 50, next: 60 + life })
    expect((await collect(orders.read({ to: 60 }))).map(({ value }) => value[0])).toEqual(numbers(50, 60))
    expect(message.timestamp).toBeLessThanOrEqual((await orders.get(50))?.timestamp ?? 0)
  })
})

it('transactions: registers, a producer, and what was acknowledged in a journal alone', async () => {
  await inEveryWay('transactions', async (log, life) => {
    expect(await log.topics()).toEqual(['orders', 'results'])
    expect(await log.register('at')).toBe(2 ** 40 + 4)
    expect(await log.producer('importer').last()).toBe(70)
    const results = await collect(log.topic('results').read())
    expect(results.map(({ value }) => value[0])).toEqual([101, 100, 104, 7])
    expect(await log.topic('orders').group('billing').position()).toMatchObject({ committed: 2, lag: 7 + life })
  })
})

it('indexed: what has a key or a header is found by the side indexes, which are as the segments say', async () => {
  await inEveryWay('indexed', async (log, life) => {
    const orders = log.topic('orders')
    expect((await orders.last('k3'))?.offset).toBe(59)
    expect(await orders.last('k')).toBeUndefined()
    expect((await collect(orders.byKey('k2', { reverse: false }))).map(({ offset }) => offset)).toEqual(
      numbers(0, 60).filter((index) => index % 7 === 2),
    )
    const offsetsOf = async (topic: string, where: Record<string, string>) =>
      (await collect(log.topic(topic).read({ where }))).map(({ offset }) => offset)
    expect(await offsetsOf('orders', { é: '"✓"' })).toEqual([3, 13, 23, 33, 43, 53])
    for (const topic of ['orders', 'notes']) expect(await offsetsOf(topic, { type: 'rare' })).toEqual([7, 27, 47])
    expect(await orders.count({ where: { type: 'usual' } })).toBe(57)
    expect((await orders.last('later'))?.offset).toBe(life === 1 ? 60 : undefined)
  })
})

it('timed: a time leads to the first message that has it', async () => {
  await inEveryWay('timed', async (log) => {
    for (const name of ['orders', 'notes']) {
      const topic = log.topic(name)
      const times = (await collect(topic.read({ to: 60 }))).map(({ timestamp }) => timestamp)
      expect(new Set(times).size).toBeGreaterThan(15)
      for (const time of [times[0] - 1, ...times.flatMap((each) => [each, each + 1])].filter(
        (each) => each <= times[59],
      ))
        expect(await topic.offsetAt(time)).toBe(times.findIndex((each) => each >= time))
    }
  })
})

it.each(['indexed', 'timed'])('%s: nothing is wrong with side indexes, and they are read as they are', async (name) => {
  const directory = unpacked(name)
  const sides = readdirSync(path.join(directory, 'log')).filter((name) => name.endsWith('.idx'))
  expect(sides.length).toBeGreaterThan(1)
  const bytes = () => sides.map((name) => readFileSync(path.join(directory, 'log', name)))
  const before = bytes()
  const extent = findExtent({ disk: nodeDisk, directory, isLive: false, bootId: 'now' })
  expect(segmentTasks(extent).flatMap((task) => verifySegment(nodeDisk, task).remarks)).toEqual([])
  const log = await openLog(directory)
  const isTimed = name === 'timed'
  log.topic('orders', { index: { keys: true, headers: isTimed ? [] : ['type', 'é'] } })
  log.topic('notes', { index: { headers: isTimed ? [] : ['type'] } })
  await log.close()
  expect(bytes()).toEqual(before)
})

const hasZstd = 'zstdCompressSync' in zlib
it.each(['packed', ...(hasZstd ? ['packed-zstd'] : [])])('%s: segments whose bytes stand in blocks', async (name) => {
  await inEveryWay(name, async (log, life) => {
    const orders = log.topic('orders', { index: { keys: true } })
    expect(await orders.bounds()).toEqual({ first: 0, next: 60 + life })
    const all = (await collect(orders.read())).slice(0, 60)
    for (const [index, { value }] of all.entries()) {
      const written = new Uint8Array(40_000).map((_, at) => (at === 0 ? index : (at * (index + 1)) & 15))
      // At once: to compare them one by one takes a hundred times as long.
      expect(Buffer.compare(value, written), `message ${index}`).toBe(0)
    }
    expect((await orders.get(3))?.keyText).toBe('k3')
    const keyed = await collect(orders.byKey('k2'))
    expect(keyed.map(({ offset }) => offset)).toEqual(
      numbers(0, 60)
        .filter((index) => index % 7 === 2)
        .reverse(),
    )
  })
})

it.skipIf(hasZstd)(
  'packed-zstd: without zstd it is refused with the words what to do, and nothing is changed',
  async () => {
    const directory = unpacked('packed-zstd')
    const before = contentOf(directory)
    for (const options of [{}, { readOnly: true }]) {
      const error = await codedFailureOf(() => open(directory, options))
      expect(error.code).toBe('BOOKEND_FORMAT')
      expect(error.message).toMatch(/packed with zstd, which Node .* does not have: use Node 22.15 or later/)
    }
    const after = contentOf(directory)
    for (const file of ['lock', 'bell']) after.delete(file)
    expect(after).toEqual(before)
  },
)
