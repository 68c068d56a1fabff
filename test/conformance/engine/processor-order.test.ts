import { type Delivery, text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { temporaryFolder, until } from '../../scenarios/support.js'
import { HandlerRecord } from '../../support/recording-handler.js'
import { range } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

const unique = (offsets: number[]) => [...new Set(offsets)].sort((a, b) => a - b)
const ascending = (offsets: number[]) => offsets.sort((a, b) => a - b)

onEveryEngine(({ shared, supports }) => {
  describe.runIf(supports.process)('processors', () => {
    const filled = async (count: number) => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: text })
      await topic.appendMany(range(0, count).map((index) => `good ${index}`))
      return { topic, record: new HandlerRecord(temporaryFolder()) }
    }

    it('that wait for more share what comes with a consumer of their group', async () => {
      const { topic, record } = await filled(5)
      const group = topic.group('g')
      const processor = group.process(record.module)
      await until('it has caught up', () => record.offsets().length === 5)
      const consumer = group.consume()
      const first = consumer.next()
      const consumed: number[] = []
      const consume = async () => {
        for (let next = await first; !next.done; next = await consumer.next()) {
          consumed.push(next.value.offset)
          await next.value.ack()
        }
      }
      const consuming = Promise.allSettled([consume()])
      for (let index = 0; index < 200; index++) await topic.append('good')
      await until('all is done', async () => (await group.position()).lag === 0)
      await consumer.return?.()
      await consuming
      expect(consumed.length).toBeGreaterThan(0)
      expect(ascending([...record.offsets(), ...consumed])).toEqual(range(0, 205))
      await processor.stop()
    })

    it('of one group share its messages, and with consumers too; every group sees every message', async () => {
      const { topic, record } = await filled(2_000)
      const second = new HandlerRecord(temporaryFolder())
      const other = new HandlerRecord(temporaryFolder())
      const mine = { order: 'none', batchSize: 8, concurrency: 1 } as const
      const alone = topic.group('alone').process(other.module)
      const consumer = topic.group('shared').consume()
      const held: Delivery<string>[] = []
      while (held.length < 50) held.push((await consumer.next()).value as Delivery<string>)
      const sharing = [record, second].map(({ module }) => topic.group('shared').process(module, mine))
      // Of these fifty, two thirds are done here, the rest is for the processors.
      const consumed = held.filter(({ offset }) => offset % 3 > 0)
      for (const delivery of consumed) await delivery.ack()
      await consumer.return?.()
      await Promise.all([...sharing, alone].map((processor) => processor.idle()))
      expect(unique(other.offsets())).toEqual(range(0, 2_000))
      // What one of them was given, nobody else got.
      const all = [...record.offsets(), ...second.offsets(), ...consumed.map(({ offset }) => offset)]
      expect(ascending(all)).toEqual(range(0, 2_000))
      await Promise.all([...sharing, alone].map((processor) => processor.stop()))
    })

    it('are held up by a failing message in order "topic", and only in its key in order "key"', async () => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: text })
      for (const [offset, key] of ['a', 'b', 'a', 'b', 'c'].entries()) {
        await topic.append(offset === 0 ? 'throw-at-first 3' : 'good', { key })
      }
      for (const order of ['topic', 'key', 'none'] as const) {
        const record = new HandlerRecord(temporaryFolder())
        const processor = topic.group(order).process(record.module, { order, concurrency: 8, retries: 5, backoffMs: 5 })
        await processor.idle()
        const offsets = record.offsets()
        expect(unique(offsets), order).toEqual(range(0, 5))
        const firstTime = (offset: number) => offsets.indexOf(offset)
        if (order === 'topic') expect(offsets).toEqual(range(0, 5))
        expect(firstTime(0) < firstTime(2) || order === 'none', order).toBe(true)
        expect(firstTime(1) < firstTime(3) || order === 'none', order).toBe(true)
        // The batch, alone, and again: as many as it takes.
        expect(processor.stats.failed, order).toBe(3)
        expect(processor.stats.deadLettered, order).toBe(0)
        await processor.stop()
      }
    })

    it('that pause in the middle of everything keep the order of each key', async () => {
      const { topic, record } = await filled(0)
      const keys = ['a', 'b', 'c', 'd', 'e']
      const processor = topic.group('g').process(record.module, { order: 'key', concurrency: 3, batchSize: 4 })
      for (let round = 0; round < 40; round++) {
        await Promise.all(keys.map((key) => topic.append('good', { key })))
        void processor.pause()
        if (round % 3 === 0) await processor.pause()
        processor.resume()
      }
      await processor.idle()
      for (const key of keys.keys()) {
        // What a lane had done ahead of the others comes again, but nothing overtakes what comes for the first time.
        const first = [...new Set(record.offsets().filter((offset) => offset % keys.length === key))]
        expect(first).toEqual(range(0, 40).map((round) => round * keys.length + key))
      }
      expect(processor.stats.failed).toBe(0)
      await processor.stop()
    })
  })
})
