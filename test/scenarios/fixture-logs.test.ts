/** Logs of test/fixtures/logs, one for each thing that the format can say: every release opens them, reads what they hold and goes on. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { type Log, open } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, fixture, openLog, temporaryFolder } from './support.js'

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
