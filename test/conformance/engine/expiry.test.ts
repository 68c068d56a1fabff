import type { Log, Topic } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake, fixture, temporaryFolder, until } from '../../scenarios/support.js'
import { HandlerRecord } from '../../support/recording-handler.js'
import { Seeded } from '../../support/seeded.js'
import { offsetsOf, take } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

const sum = new URL(`file://${fixture('scan-sum.mjs')}`)
const total = 900
const gone = { expiresAt: 1 }
const lasting = { expiresAt: new Date(Date.UTC(2200, 0)) }

/** Runs of messages that have expired, will, or never do. */
async function fill(log: Log): Promise<number[]> {
  const random = new Seeded(31)
  const topic = log.topic('t')
  const alive: number[] = []
  for (let offset = 0; offset < total; ) {
    const values = Array.from(
      { length: Math.min(1 + random.below(60), total - offset) },
      () => new Uint8Array(random.below(900)),
    )
    const expiry = random.pick([gone, lasting, {}])
    const type = random.pick(['a', 'b'])
    await topic.appendMany(values, { ...expiry, headers: { type }, ...(random.chance(0.5) && { key: type }) })
    if (expiry !== gone) alive.push(...values.map((_, index) => offset + index))
    offset += values.length
  }
  return alive
}

let alive: number[] = []

onEveryReader(
  async (log) => {
    if (log.supports.expiry) alive = await fill(log)
  },
  (reader) => {
    it('what has expired is passed over, however it is read', async () => {
      if (!reader.log.supports.expiry) return
      const topic = reader.log.topic('t')
      const all = await collect(topic.read())
      expect(offsetsOf(all)).toEqual(alive)
      expect(all.every(({ headers }) => headers?.['bookend-expires'] !== '0000000000001')).toBe(true)
      expect(offsetsOf((await collect(topic.read().batches())).flat())).toEqual(alive)
      const chunks = await collect(topic.read().chunks())
      expect(chunks.flatMap((chunk) => offsetsOf([...chunk]))).toEqual(alive)
      expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBe(alive.length)
      const offsets = Array.from({ length: total }, (_, offset) => offset)
      const found = await topic.getMany(offsets)
      expect(found.flatMap((message) => (message === undefined ? [] : [message.offset]))).toEqual(alive)
      for (const offset of offsets.filter((each) => each % 37 === 0))
        expect((await topic.get(offset))?.offset).toBe(alive.includes(offset) ? offset : undefined)
      const ofType = all.filter(({ headers }) => headers?.type === 'a')
      expect(offsetsOf(await collect(topic.read({ where: { type: 'a' } })))).toEqual(offsetsOf(ofType))
      expect(await topic.count()).toBe(alive.length)
      expect(await topic.count({ where: { type: 'a' } })).toBe(ofType.length)
      expect(await topic.count({ from: 100, to: 500 })).toBe(alive.filter((each) => each >= 100 && each < 500).length)
      expect(await topic.bounds()).toEqual({ first: 0, next: total })
      if (reader.log.supports.keys) {
        const keyed = all.filter(({ keyText }) => keyText === 'a')
        expect(offsetsOf(await collect(topic.byKey('a', { limit: total, reverse: false })))).toEqual(offsetsOf(keyed))
        expect((await topic.last('a'))?.offset).toBe(keyed.at(-1)?.offset)
        expect(offsetsOf(await collect(topic.byKey('a', { limit: 3 })))).toEqual(offsetsOf(keyed).slice(-3).reverse())
      }
      if (!reader.supports.scan) return
      const scanned = await topic.scan<{ count: number; bytes: number }>(sum)
      expect(scanned).toMatchObject({
        count: alive.length,
        bytes: all.reduce((sum, { value }) => sum + value.length, 0),
      })
    })
  },
)

onEveryEngine(({ shared, open, supports }) => {
  const values = (count: number) => Array.from({ length: count }, () => new Uint8Array(10))

  /** A message that lives, and is let expire. */
  async function expire(topic: Topic<Uint8Array>, offset: number): Promise<void> {
    await until('it has expired', async () => (await topic.get(offset)) === undefined)
  }

  it('an engine that cannot do it says so before anything is written', async () => {
    const { log, name } = await shared()
    if (log.supports.expiry) return
    for (const options of [{ ttlMs: 1_000 }, { expiresAt: new Date() }])
      expect((await codedFailureOf(() => log.topic(name).append(new Uint8Array(1), options))).code).toBe(
        'BOOKEND_UNSUPPORTED',
      )
    expect(await log.topics()).not.toContain(name)
  })

  it('times that are none are mistakes', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    const append = (options: object) => topic.append(new Uint8Array(1), options)
    if (!log.supports.expiry) return
    for (const ttlMs of ['1', null, {}]) await expectMistake(() => append({ ttlMs }), TypeError)
    for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e13])
      await expectMistake(() => append({ ttlMs }), RangeError)
    for (const expiresAt of ['1', null]) await expectMistake(() => append({ expiresAt }), TypeError)
    for (const expiresAt of [-1, 0.5, Number.NaN, 1e13, new Date(Number.NaN)])
      await expectMistake(() => append({ expiresAt }), RangeError)
    await expectMistake(() => append({ ttlMs: 1, expiresAt: 1 }), TypeError)
    await expectMistake(() => append({ ttlMs: 1, headers: { 'bookend-expires': '1' } }), TypeError)
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
  })

  it('a message counts until its time has come, in every way of appending it', async () => {
    const { log, name } = await shared()
    if (!log.supports.expiry) return
    const topic = log.topic(name)
    // Awaited and not: one is as much behind the other as it was called.
    const first = topic.append(new Uint8Array([0]), { ttlMs: 20, key: 'k' })
    const second = topic.append(new Uint8Array([1]))
    const third = topic.appendMany(values(2), { ttlMs: 20.5 })
    expect([await first, await second, (await third).first]).toEqual([0, 1, 2])
    while (!topic.offer(new Uint8Array([4]), { ttlMs: 20, headers: { a: 'b' } })) await topic.ready()
    if (log.supports.transactions) {
      await log.transaction((tx) => tx.append(topic, new Uint8Array([5]), { expiresAt: Date.now() + 20 }))
      expect(await log.producer(name).append(topic, new Uint8Array([6]), 1, { ttlMs: 20 })).toBe(6)
    }
    const queue = log.queue(name)
    const last = await queue.push(new Uint8Array([7]), { ttlMs: 20 })
    for (let offset = 0; offset <= last; offset++) if (offset !== 1) await expire(topic, offset)
    expect(offsetsOf(await collect(topic.read()))).toEqual([1])
    expect(await queue.size()).toBe(1)
    expect(await queue.pop()).toEqual(new Uint8Array([1]))
    expect([await queue.pop(), await queue.size()]).toEqual([undefined, 0])
  })

  it('a stream that follows waits through what has expired', async () => {
    const { log, name } = await shared()
    if (!log.supports.expiry) return
    const topic = log.topic(name)
    const stream = topic.read({ follow: true })
    const next = stream.next()
    for (let round = 0; round < 5; round++) await topic.appendMany(values(3), gone)
    await topic.append(new Uint8Array([9]), lasting)
    expect((await next).value?.offset).toBe(15)
    await stream.return()
  })

  it('a group passes what has expired, and is not behind for it', async () => {
    const { log, name } = await shared()
    if (!log.supports.expiry) return
    const topic = log.topic(name)
    await topic.appendMany(values(2_000), gone)
    const group = topic.group('g')
    expect(await group.position()).toMatchObject({ next: 2_000, lag: 0 })
    await topic.append(new Uint8Array([1]))
    await topic.appendMany(values(3), gone)
    await topic.append(new Uint8Array([2]), lasting)
    expect(await group.position()).toMatchObject({ next: 2_005, lag: 2 })
    const consumer = group.consume()
    const taken = await take(consumer, 2)
    expect(offsetsOf(taken)).toEqual([2_000, 2_004])
    expect(await group.position()).toMatchObject({ committed: 2_000, lag: 2 })
    for (const delivery of taken) await delivery.ack()
    expect(await group.position()).toEqual({ committed: 2_005, next: 2_005, lag: 0, skipped: 0 })
    await topic.appendMany(values(10), gone)
    expect(await group.position()).toMatchObject({ lag: 0 })
    await topic.append(new Uint8Array([3]))
    const [last] = await take(consumer, 1)
    expect(last.offset).toBe(2_015)
    await last.ack()
    await consumer.return?.()
    expect(await group.position()).toEqual({ committed: 2_016, next: 2_016, lag: 0, skipped: 0 })
  })

  it('what expires between two deliveries does not come again', async () => {
    const { log, name } = await shared()
    if (!log.supports.expiry) return
    const topic = log.topic(name)
    const group = topic.group('g', log.supports.filteredGroups ? { where: { a: 'b' } } : {})
    const headers = { a: 'b' }
    const consumer = group.consume()
    // On a machine that is slow enough it has expired before it is asked for: then it does not come at all.
    const offset = await topic.append(new Uint8Array([0]), { headers, ttlMs: 200 })
    const stays = topic.append(new Uint8Array([1]), { headers })
    await stays
    const [first] = await take(consumer, 1)
    const wasAlive = first.offset === offset
    if (wasAlive) await expire(topic, offset)
    await first.nack()
    const [again] = await take(consumer, 1)
    expect(again.offset).toBe(await stays)
    await again.ack()
    expect(await group.position()).toMatchObject({ committed: 2, lag: 0 })
    await consumer.return?.()
  })

  it('handlers are not called for it', async () => {
    if (!supports.process) return
    const log = await open()
    if (!log.supports.expiry) return
    const topic = log.topic('t')
    await topic.appendMany(
      values(100).map(() => Buffer.from('good')),
      gone,
    )
    await topic.appendMany([Buffer.from('good'), Buffer.from('good')], lasting)
    await topic.appendMany(
      values(10).map(() => Buffer.from('good')),
      gone,
    )
    const record = new HandlerRecord(temporaryFolder())
    const processor = topic.group('g').process(record.module)
    await processor.idle()
    await processor.stop()
    expect(record.offsets()).toEqual([100, 101])
    expect(await topic.group('g').position()).toMatchObject({ committed: 112, lag: 0 })
    const seen: number[] = []
    const called = topic.group('h').process(({ offset }) => void seen.push(offset))
    await called.idle()
    await called.stop()
    expect(seen).toEqual([100, 101])
    expect(await topic.group('h').position()).toMatchObject({ lag: 0 })
  })

  it('a queue shows and gives what has not expired', async () => {
    const { log, name } = await shared()
    if (!log.supports.expiry) return
    const queue = log.queue(name)
    for (let round = 0; round < 3; round++) {
      await queue.push(new Uint8Array([1, round]), gone)
      await queue.push(new Uint8Array([2, round]), lasting)
    }
    expect(await queue.size()).toBe(3)
    expect(await queue.peek()).toEqual(new Uint8Array([2, 0]))
    expect((await collect(queue.browse())).map((value) => value[0])).toEqual([2, 2, 2])
    expect([await queue.pop(), await queue.pop()]).toEqual([new Uint8Array([2, 0]), new Uint8Array([2, 1])])
    expect(await queue.size()).toBe(1)
  })
})
