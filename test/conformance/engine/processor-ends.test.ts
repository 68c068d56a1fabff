import { text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { codedFailureOf, failureOf, temporaryFolder, until } from '../../scenarios/support.js'
import { HandlerRecord } from '../../support/recording-handler.js'
import { range } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

const good = (count: number) => range(0, count).map((index) => `good ${index}`)

onEveryEngine(({ open, shared, supports }) => {
  describe.runIf(supports.process)('a processor', () => {
    const filled = async (values: string[]) => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: text })
      await topic.appendMany(values)
      return { topic, record: new HandlerRecord(temporaryFolder()) }
    }

    it('that is stopped ends within one call, fires the signal of the handler, and loses nothing', async () => {
      const { topic, record } = await filled([...good(10), 'until-stop', ...good(10)])
      const processor = topic.group('g').process(record.module, { batchSize: 5 })
      await until('the handler waits', () => record.lines().includes('waiting'))
      const idle = processor.idle()
      await Promise.all([processor.stop(), failureOf(() => idle)])
      expect((await codedFailureOf(() => idle)).code).toBe('BOOKEND_CLOSED')
      // The call it was in is done and acknowledged; the next was not begun.
      const done = record.offsets().length
      expect(record.offsets()).toEqual(range(0, done))
      expect(done).toBeGreaterThan(10)
      expect(done).toBeLessThanOrEqual(15)
      expect(await topic.group('g').position()).toMatchObject({ committed: done, lag: 21 - done })
      const again = topic.group('g').process(record.module)
      await again.idle()
      expect(record.offsets()).toEqual(range(0, 21))
      await again.stop()
    })

    it('that is stopped does not wait for a backoff, and the message comes again first', async () => {
      const { topic, record } = await filled(['good', 'throw-at-first 2', 'good'])
      const processor = topic.group('g').process(record.module, { batchSize: 1, retries: 9, backoffMs: 1_000_000 })
      await until('it waits for the next attempt', () => processor.stats.failed >= 1)
      await processor.stop()
      expect(await topic.group('g').position()).toMatchObject({ committed: 1, lag: 2 })
      await topic.group('g').process(record.module, { retries: 9 }).idle()
      expect(record.offsets()).toEqual(range(0, 3))
    })

    it('is stopped by its signal, and idle() rejects with the reason', async () => {
      const { topic, record } = await filled(['until-stop'])
      const controller = new AbortController()
      const processor = topic.group('g').process(record.module, { signal: controller.signal })
      await until('the handler waits', () => record.lines().includes('waiting'))
      await topic.append('good')
      const idle = failureOf(() => processor.idle())
      const reason = new Error('enough')
      controller.abort(reason)
      expect(await idle).toBe(reason)
      await processor.finished
      expect(await topic.group('g').position()).toMatchObject({ committed: 1, lag: 1 })
      const never = topic.group('g').process(record.module, { signal: controller.signal })
      await never.finished
      expect(never.stats.processed).toBe(0)
    })

    it('that is paused ends with its group, its signal and its log', async () => {
      const log = await open()
      const topic = log.topic('t', { codec: text })
      await topic.appendMany(good(5))
      const { module } = new HandlerRecord(temporaryFolder())
      const controller = new AbortController()
      const removed = topic.group('removed').process(module)
      const aborted = topic.group('aborted').process(module, { signal: controller.signal })
      const closed = topic.group('closed').process(module)
      for (const processor of [removed, aborted, closed]) {
        await processor.idle()
        await processor.pause()
      }
      await topic.group('removed').remove()
      await removed.finished
      controller.abort()
      await aborted.finished
      await log.close()
      await closed.finished
      expect([removed, aborted, closed].map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
    })

    it('ends when its group is removed, and using that again starts it anew', async () => {
      const { topic, record } = await filled(good(5))
      const processor = topic.group('g').process(record.module)
      await processor.idle()
      await topic.group('g').remove()
      await processor.finished
      await topic.group('g').process(record.module).idle()
      expect(record.offsets()).toEqual([...range(0, 5), ...range(0, 5)])
    })
  })
})
