import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder } from '../scenarios/support.js'

it('getMany keeps the order where several threads look up parts of it', async () => {
  for (const count of [99, 100, 150, 1_000]) {
    // A new log each: what has been read once, the calling thread has open and reads itself.
    const log = await openLog(temporaryFolder(), { readers: 3 })
    const topic = log.topic('t', { codec: text })
    await topic.appendMany(Array.from({ length: 1_000 }, (_, index) => `m${index}`))
    const before = log.stats().readers.tasks
    // All over the topic and past its end, repeatedly.
    const offsets = Array.from({ length: count }, (_, index) => (index * 619) % 1_100)
    const values = (await topic.getMany(offsets)).map((message) => message?.value)
    expect(values).toEqual(offsets.map((offset) => (offset < 1_000 ? `m${offset}` : undefined)))
    expect(log.stats().readers.tasks - before).toBe(Math.min(3, Math.max(1, Math.floor(count / 50))))
  }
})

it('everything is there after close and open, and numbering goes on', async () => {
  const directory = temporaryFolder()
  for (let round = 0; round < 3; round++) {
    const log = await openLog(directory)
    const topic = log.topic('t', { codec: text })
    expect(await topic.bounds()).toEqual({ first: 0, next: round * 2 })
    expect(await topic.append(`${round}a`)).toBe(round * 2)
    topic.offer(`${round}b`)
    await log.close()
  }
  const log = await openLog(directory)
  expect((await collect(log.topic('t', { codec: text }).read())).map(({ value }) => value)).toEqual([
    ...['0a', '0b', '1a', '1b', '2a', '2b'],
  ])
  expect(log.stats().recovery.tornBytes).toBe(0)
  expect(log.stats().recovery.epoch).toBe(4)
})

it('an append at level disk is flushed when it is acknowledged, and flush("disk") covers offers', async () => {
  const log = await openLog(undefined, { flushIntervalMs: 3_600_000 })
  const topic = log.topic('t', { codec: text })
  await topic.append('a', { durability: 'disk' })
  let { positions } = log.stats()
  expect(positions.durable).toBe(positions.published)
  await topic.append('b')
  expect(log.stats().positions.durable).toBeLessThan(log.stats().positions.published)
  topic.offer('c')
  await log.flush('disk')
  positions = log.stats().positions
  expect(positions.durable).toBe(positions.published)
  expect((await topic.bounds()).next).toBe(3)
  topic.offer('d')
  log.flushSync('disk')
  positions = log.stats().positions
  expect(positions.durable).toBe(positions.published)
  expect((await topic.bounds()).next).toBe(4)
  await Promise.all(Array.from({ length: 50 }, () => topic.append('e', { durability: 'disk' })))
  // One flush serves everybody who waits.
  expect(log.stats().flushes.count).toBeLessThan(40)
})

it('stats and residency say what the log is doing', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  await topic.appendMany(Array.from({ length: 30 }, () => new Uint8Array(100_000 / 3)))
  await topic.append(new Uint8Array(500_000))
  const stats = log.stats()
  expect(stats.messages).toBe(31)
  expect(stats.messageBytes).toBeGreaterThanOrEqual(1_490_000)
  expect(stats.positions.published).toBeGreaterThan(1 << 20)
  expect(stats.positions.trimmed).toBe(0)
  expect(stats.ring).toMatchObject({ usedBytes: 0, waiting: 0, pending: 0 })
  expect(stats.segments.segmentBytes).toBe(1 << 20)
  expect(stats.errors).toEqual({ count: 0, last: undefined })
  await collect(topic.read())
  const residency = await log.residency()
  expect(residency.map(({ position }) => position)).toEqual(residency.map((_, index) => index << 20))
  expect(residency.map(({ state }) => state).slice(0, 2)).toEqual(['sealed', 'active'])
  for (const { bytes: size, file } of residency) {
    expect(size).toBe(1 << 20)
    expect(file).toMatch(/\/\d{20}\.seg$/)
  }
  const isMapped = stats.io !== 'file'
  expect(residency.some(({ mappings }) => mappings.some(({ thread }) => thread === 'reader'))).toBe(isMapped)
})
