import { type Delivery, type Processor, text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { collect, expectMistake, temporaryFolder, until } from '../../scenarios/support.js'
import { HandlerRecord } from '../../support/recording-handler.js'
import { range } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

const good = (count: number) => range(0, count).map((index) => `good ${index}`)
const unique = (offsets: number[]) => [...new Set(offsets)].sort((a, b) => a - b)

onEveryEngine(({ shared, supports }) => {
  describe.runIf(supports.process)('a processor', () => {
    const filled = async (values: string[]) => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: text })
      await topic.appendMany(values)
      return { log, topic, record: new HandlerRecord(temporaryFolder()) }
    }

    it.each(['topic', 'key', 'none'] as const)(
      'that is paused begins no call and leaves its messages to others, until it goes on (order %s)',
      async (order) => {
        const { topic, record } = await filled([...good(10), 'until-stop', ...good(10)])
        const group = topic.group('g')
        // By key, what one lane has done ahead of the others comes again, and this handler would wait again.
        const processor = group.process(record.module, { order, concurrency: order === 'none' ? 2 : 1, batchSize: 5 })
        await until('the handler waits', () => record.lines().includes('waiting'))
        // As stop(): the signal of the call fires, and the pause waits for it.
        await processor.pause()
        expect(processor.state).toBe('paused')
        const handled = record.offsets().length
        await topic.append('good')
        const consumer = group.consume()
        const { value } = await consumer.next()
        await (value as Delivery<string>).ack()
        await consumer.return?.()
        expect(record.offsets()).toHaveLength(handled)
        processor.resume()
        expect(processor.state).toBe('running')
        await processor.idle()
        expect(unique([...record.offsets(), (value as Delivery<string>).offset])).toEqual(range(0, 22))
        await processor.stop()
        await processor.pause()
        expect(processor.state).toBe('stopped')
      },
    )

    it('goes along with a seek, out of a backoff too', async () => {
      const { topic, record } = await filled(['throw', ...good(20)])
      const processor = topic.group('g').process(record.module, { batchSize: 1, retries: 9, backoffMs: 1_000_000 })
      await until('it waits for the next attempt', () => processor.stats.failed >= 1)
      await topic.group('g').seek(5)
      await processor.idle()
      expect(record.offsets()).toEqual(range(5, 21))
      await topic.group('g').seek(15)
      await processor.idle()
      expect(record.offsets()).toEqual([...range(5, 21), ...range(15, 21)])
      await processor.stop()
    })

    it('of a new group starts where it is told to; what is trimmed away is passed over', async () => {
      const { topic, record } = await filled(good(100))
      const late = new HandlerRecord(temporaryFolder())
      const processor = topic.group('late').process(late.module, { from: 'next' })
      await processor.idle()
      await topic.append('good')
      await processor.idle()
      expect(late.offsets()).toEqual([100])
      await topic.trim(40)
      const early = topic.group('early').process(record.module)
      await early.idle()
      expect(record.offsets()).toEqual(range(40, 101))
      await Promise.all([processor.stop(), early.stop()])
    })

    it('makes dead letters that keep value, key and headers', async () => {
      const { log, topic, record } = await filled([])
      await topic.append('throw', { key: 'k', headers: { mine: 'yes', 'bookend-offset': 'not this' } })
      const processor = topic.group('g').process(record.module, { retries: 0, deadLetter: 'dead', batchSize: 1 })
      await processor.idle()
      const [letter] = await collect(log.topic('dead', { codec: text }).read())
      expect(letter.value).toBe('throw')
      expect(Buffer.from(letter.key ?? []).toString()).toBe('k')
      const written = await topic.get(0)
      expect(letter.headers).toEqual({
        mine: 'yes',
        'bookend-error': 'RangeError: cannot handle 0',
        'bookend-topic': topic.name,
        'bookend-offset': '0',
        'bookend-group': 'g',
        'bookend-attempts': '1',
        'bookend-timestamp': String(written?.timestamp),
      })
      await processor.stop()
    })

    it('gives its handler a copy of the data that it was started with', async () => {
      const { topic, record } = await filled(['data'])
      const data = [1, 2]
      const processor = topic.group('g').process(record.module, { data })
      data.push(3)
      await processor.idle()
      expect(record.lines()[0]).toBe('data 1-2')
      await processor.stop()
    })

    it('refuses bad options as mistakes of the caller, at once', async () => {
      const { topic, record } = await filled([])
      const group = topic.group('g')
      const attempt = (options: object) => () => group.process(record.module, options) as Processor
      await expectMistake(attempt({ order: 'random' }), RangeError)
      await expectMistake(attempt({ concurrency: 0 }), RangeError)
      await expectMistake(attempt({ batchSize: 1.5 }), RangeError)
      await expectMistake(attempt({ retries: -1 }), RangeError)
      await expectMistake(attempt({ backoffMs: '1' }), TypeError)
      await expectMistake(attempt({ deadLetter: 'no such/name' }), RangeError)
      await expectMistake(attempt({ deadLetter: topic.name }), RangeError)
      await expectMistake(attempt({ retry: 1 }), TypeError)
      await expectMistake(attempt({ data: () => {} }), TypeError)
      await expectMistake(attempt({ signal: 5 }), TypeError)
      await expectMistake(() => group.process('handler.js'), RangeError)
      await expectMistake(() => group.process(5 as unknown as string), TypeError)
    })
  })
})
