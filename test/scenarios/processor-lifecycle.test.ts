import { type Delivery, type Log, type Processor, text } from 'bookend'
import { expect, it } from 'vitest'
import { HandlerRecord } from '../support/recording-handler.js'
import { codedFailureOf, collect, expectMistake, failureOf, openLog, temporaryFolder, until } from './support.js'

const topicOf = (log: Log) => log.topic('t', { codec: text })
const good = (count: number) => Array.from({ length: count }, (_, index) => `good ${index}`)
const upTo = (end: number) => Array.from({ length: end }, (_, offset) => offset)
const unique = (offsets: number[]) => [...new Set(offsets)].sort((a, b) => a - b)

async function filled(values: string[], options = {}) {
  const folder = temporaryFolder()
  const directory = `${folder}/log`
  const log = await openLog(directory, options)
  const topic = topicOf(log)
  if (values.length > 0) await topic.appendMany(values)
  return { log, topic, directory, record: new HandlerRecord(folder) }
}

for (const order of ['topic', 'key', 'none'] as const) {
  it(`order ${order}: messages that come while it runs are handled, and acknowledged for ever`, async () => {
    const { log, topic, directory, record } = await filled(good(500))
    const processor = topic.group('g').process(record.module, { order, concurrency: 2, batchSize: 64 })
    for (let round = 0; round < 20; round++) {
      await Promise.all(upTo(25).map((index) => topic.append(`good ${index}`, { key: `k${index % 5}` })))
    }
    await processor.idle()
    expect(record.offsets().sort((a, b) => a - b)).toEqual(upTo(1_000))
    expect(processor.stats).toEqual({ processed: 1_000, failed: 0, deadLettered: 0 })
    await log.close()
    await processor.finished
    const again = await openLog(directory)
    expect(await topicOf(again).group('g').position()).toMatchObject({ committed: 1_000, lag: 0 })
  })
}

it('a processor that waits for more shares what comes with a consumer of its group', async () => {
  const { topic, record } = await filled(good(5))
  const group = topic.group('g')
  const processor = group.process(record.module)
  await until('it has caught up', () => record.offsets().length === 5)
  const consumer = group.consume()
  const first = consumer.next()
  const consumed: number[] = []
  const consuming = (async () => {
    for (let next = await first; !next.done; next = await consumer.next()) {
      consumed.push(next.value.offset)
      await next.value.ack()
    }
  })()
  for (let index = 0; index < 200; index++) await topic.append('good')
  await until('all is done', async () => (await group.position()).lag === 0)
  await consumer.return?.()
  await consuming.catch(() => {})
  expect(consumed.length).toBeGreaterThan(0)
  expect([...record.offsets(), ...consumed].sort((a, b) => a - b)).toEqual(upTo(205))
  await processor.stop()
})

it('every group sees every message; processors of one group share them, and with consumers too', async () => {
  const { topic, record } = await filled(good(2_000))
  const second = new HandlerRecord(temporaryFolder())
  const other = new HandlerRecord(temporaryFolder())
  const mine = { order: 'none', batchSize: 8, concurrency: 1 } as const
  const alone = topic.group('alone').process(other.module)
  const consumer = topic.group('shared').consume()
  const held: Delivery<string>[] = []
  while (held.length < 50) held.push((await consumer.next()).value as Delivery<string>)
  const shared = [record, second].map(({ module }) => topic.group('shared').process(module, mine))
  // Of these fifty, two thirds are done here, the rest is for the processors.
  const consumed = held.filter(({ offset }) => offset % 3 > 0)
  for (const delivery of consumed) await delivery.ack()
  await consumer.return?.()
  await Promise.all([...shared, alone].map((processor) => processor.idle()))
  expect(unique(other.offsets())).toEqual(upTo(2_000))
  // What one of them was given, nobody else got.
  expect(
    [...record.offsets(), ...second.offsets(), ...consumed.map(({ offset }) => offset)].sort((a, b) => a - b),
  ).toEqual(upTo(2_000))
})

it('a failing message holds up order "topic", and only its key in order "key"', async () => {
  const { topic } = await filled([])
  for (const [offset, key] of ['a', 'b', 'a', 'b', 'c'].entries()) {
    await topic.append(offset === 0 ? 'throw-at-first 3' : 'good', { key })
  }
  for (const order of ['topic', 'key', 'none'] as const) {
    const record = new HandlerRecord(temporaryFolder())
    const processor = topic.group(order).process(record.module, { order, concurrency: 8, retries: 5, backoffMs: 5 })
    await processor.idle()
    const offsets = record.offsets()
    expect(unique(offsets), order).toEqual(upTo(5))
    const firstTime = (offset: number) => offsets.indexOf(offset)
    if (order === 'topic') expect(offsets).toEqual(upTo(5))
    expect(firstTime(0) < firstTime(2) || order === 'none', order).toBe(true)
    expect(firstTime(1) < firstTime(3) || order === 'none', order).toBe(true)
    // The batch, alone, and again: as many as it takes.
    expect(processor.stats.failed, order).toBe(3)
    expect(processor.stats.deadLettered, order).toBe(0)
    await processor.stop()
  }
})

it('stop() ends within one call, fires the signal of the handler, and loses nothing', async () => {
  const { topic, record } = await filled([...good(10), 'until-stop', ...good(10)])
  const processor = topic.group('g').process(record.module, { batchSize: 5 })
  await until('the handler waits', () => record.lines().includes('waiting'))
  const idle = processor.idle()
  await Promise.all([processor.stop(), failureOf(() => idle)])
  expect((await codedFailureOf(() => idle)).code).toBe('BOOKEND_CLOSED')
  // The call it was in is done and acknowledged; the next was not begun.
  expect(record.offsets()).toEqual(upTo(15))
  expect(await topic.group('g').position()).toMatchObject({ committed: 15, lag: 6 })
  const again = topic.group('g').process(record.module)
  await again.idle()
  expect(record.offsets()).toEqual(upTo(21))
})

it('stop() does not wait for a backoff, and the message comes again first', async () => {
  const { topic, record } = await filled(['good', 'throw-at-first 2', 'good'])
  const processor = topic.group('g').process(record.module, { retries: 9, backoffMs: 1_000_000 })
  await until('it waits for the next attempt', () => processor.stats.failed >= 2)
  await processor.stop()
  expect(await topic.group('g').position()).toMatchObject({ committed: 1, lag: 2 })
  await topic.group('g').process(record.module, { retries: 9 }).idle()
  expect(record.offsets()).toEqual(upTo(3))
})

it('an aborted signal stops the processor, and idle() rejects with its reason', async () => {
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

it('closing the log ends its processors: what they have done is acknowledged', async () => {
  const { log, topic, directory, record } = await filled([...good(300), 'slow 20', ...good(300)])
  const orders = ['topic', 'key', 'none'] as const
  const processors = orders.map((order) =>
    topic.group(order).process(record.module, { order, batchSize: 7, concurrency: 2 }),
  )
  await until('they are at work', () => processors.every(({ stats }) => stats.processed > 0))
  await log.close()
  for (const processor of processors) await processor.finished
  const again = await openLog(directory)
  const handled = record.offsets().length
  const positions = await Promise.all(orders.map((order) => topicOf(again).group(order).position()))
  // One handler wrote for three groups: what it handled and what they have acknowledged is the same number.
  expect(positions.reduce((sum, { next, lag }) => sum + next - lag, 0)).toBeLessThanOrEqual(handled)
  for (const order of ['topic', 'none'] as const) await topicOf(again).group(order).process(record.module).idle()
})

for (const order of ['topic', 'key', 'none'] as const) {
  it(`order ${order}: a paused processor begins no call and leaves its messages to others, until it goes on`, async () => {
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
    expect(unique([...record.offsets(), (value as Delivery<string>).offset])).toEqual(upTo(22))
    await processor.stop()
    await processor.pause()
    expect(processor.state).toBe('stopped')
  })
}

it('pauses in the middle of everything keep the order of each key', async () => {
  const { topic, record } = await filled([])
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
    expect(first).toEqual(upTo(40).map((round) => round * keys.length + key))
  }
  expect(processor.stats.failed).toBe(0)
})

it('a paused processor ends with its group, its signal and its log', async () => {
  const { log, topic, record } = await filled(good(5))
  const controller = new AbortController()
  const removed = topic.group('removed').process(record.module)
  const aborted = topic.group('aborted').process(record.module, { signal: controller.signal })
  const closed = topic.group('closed').process(record.module)
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

it('a seek takes a processor along, out of a backoff too', async () => {
  const { topic, record } = await filled(['throw', ...good(20)])
  const processor = topic.group('g').process(record.module, { retries: 9, backoffMs: 1_000_000 })
  await until('it waits for the next attempt', () => processor.stats.failed >= 2)
  await topic.group('g').seek(5)
  await processor.idle()
  expect(record.offsets()).toEqual(upTo(21).slice(5))
  await topic.group('g').seek(15)
  await processor.idle()
  expect(record.offsets()).toEqual([...upTo(21).slice(5), ...upTo(21).slice(15)])
})

it('removing the group ends its processors, and using it again starts it anew', async () => {
  const { topic, record } = await filled(good(5))
  const processor = topic.group('g').process(record.module)
  await processor.idle()
  await topic.group('g').remove()
  await processor.finished
  await topic.group('g').process(record.module).idle()
  expect(record.offsets()).toEqual([...upTo(5), ...upTo(5)])
})

it('a new group starts where it is told to; what is trimmed away is passed over', async () => {
  const { topic, record } = await filled(good(100))
  const late = new HandlerRecord(temporaryFolder())
  const processor = topic.group('late').process(late.module, { from: 'next' })
  await processor.idle()
  await topic.append('good')
  await processor.idle()
  expect(late.offsets()).toEqual([100])
  await topic.trim(40)
  await topic.group('early').process(record.module).idle()
  expect(record.offsets()).toEqual(upTo(101).slice(40))
})

it('a dead letter keeps value, key and headers', async () => {
  const { log, topic, record } = await filled([])
  await topic.append('throw', { key: 'k', headers: { mine: 'yes', 'bookend-offset': 'not this' } })
  const processor = topic.group('g').process(record.module, { retries: 0, deadLetter: 'dead', batchSize: 1 })
  await processor.idle()
  const [letter] = await collect(log.topic('dead', { codec: text }).read())
  expect(letter.value).toBe('throw')
  expect(Buffer.from(letter.key ?? []).toString()).toBe('k')
  expect(letter.headers).toEqual({
    mine: 'yes',
    'bookend-error': 'RangeError: cannot handle 0',
    'bookend-topic': 't',
    'bookend-offset': '0',
    'bookend-group': 'g',
    'bookend-attempts': '1',
  })
})

it('bad options are mistakes of the caller, told at once', async () => {
  const { topic, record } = await filled([])
  const group = topic.group('g')
  const attempt = (options: object) => () => group.process(record.module, options) as Processor
  await expectMistake(attempt({ order: 'random' }), RangeError)
  await expectMistake(attempt({ concurrency: 0 }), RangeError)
  await expectMistake(attempt({ batchSize: 1.5 }), RangeError)
  await expectMistake(attempt({ retries: -1 }), RangeError)
  await expectMistake(attempt({ backoffMs: '1' }), TypeError)
  await expectMistake(attempt({ deadLetter: 'no such/name' }), RangeError)
  await expectMistake(attempt({ deadLetter: 't' }), RangeError)
  await expectMistake(attempt({ retry: 1 }), TypeError)
  await expectMistake(attempt({ signal: 5 }), TypeError)
  await expectMistake(() => group.process('handler.js'), RangeError)
  await expectMistake(() => group.process(5 as unknown as string), TypeError)
})
