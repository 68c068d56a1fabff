/** Processors of several logs over the same servers, as processes have them. */
import { type Log, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { openJetStream } from '../../src/jetstream/jetstream-engine.js'
import { completeOptions } from '../../src/jetstream/options.js'
import { storeDeadLetter } from '../../src/jetstream/processing/dead-letter-box.js'
import { codedFailureOf, collect, temporaryFolder, until } from '../scenarios/support.js'
import { Passage } from '../support/nats/passage.js'
import { HandlerRecord } from '../support/recording-handler.js'
import { range, take } from '../support/words.js'
import { withServers } from './fixture.js'

withServers({}, ({ open, newName, servers }) => {
  const groupOf = (log: Log) => log.topic('t', { codec: text }).group('g')
  const good = (count: number) => range(0, count).map((index) => `good ${index}`)

  it('share the messages of a group, and each is done once', async () => {
    const name = newName()
    const logs = [await open({ name }), await open({ name })]
    const records = logs.map(() => new HandlerRecord(temporaryFolder()))
    await logs[0].topic('t', { codec: text }).appendMany(good(900))
    const processors = logs.map((log, index) =>
      groupOf(log).process(records[index].module, { order: 'none', concurrency: 2, batchSize: 10 }),
    )
    await Promise.all(processors.map((processor) => processor.idle()))
    const all = records.flatMap((record) => record.offsets())
    expect(all.sort((a, b) => a - b)).toEqual(range(0, 900))
    expect(await groupOf(logs[0]).position()).toMatchObject({ committed: 900, lag: 0 })
  })

  it('keep the order of the topic where a process has died that held what comes first', async () => {
    const name = newName()
    const passage = await Passage.to((await servers()).urls[0])
    const lost = await open({ name, ackWaitMs: 1_000, giveUpMs: 500 }, passage.url)
    const log = await open({ name, ackWaitMs: 1_000 })
    await log.topic('t', { codec: text }).appendMany(good(20))
    await take(groupOf(lost).consume(), 5)
    passage.close()
    const record = new HandlerRecord(temporaryFolder())
    const processor = groupOf(log).process(record.module)
    await processor.idle()
    expect(record.offsets()).toEqual(range(0, 20))
    // Somebody had been given them before.
    expect(Number(record.lines()[0].split(':')[0])).toBeGreaterThan(1)
  })

  it('count attempts on over the end of a process', async () => {
    const name = newName()
    const first = await open({ name })
    const record = new HandlerRecord(temporaryFolder())
    await first.topic('t', { codec: text }).append('throw-at-first 2')
    const options = { order: 'none', retries: 9, backoffMs: 1 } as const
    const before = groupOf(first).process(record.module, options)
    await until('it has failed', () => before.stats.failed > 0)
    await first.close()
    const after = groupOf(await open({ name })).process(record.module, options)
    await after.idle()
    expect(record.lines()).toHaveLength(1)
    expect(Number(record.lines()[0].split(':')[0])).toBeGreaterThan(2)
    expect(before.stats.failed + after.stats.failed).toBeLessThanOrEqual(2)
  })

  it('go on behind a lost connection, with nothing done twice in order, and nothing left out', async () => {
    const passage = await Passage.to((await servers()).urls[0])
    onTestFinished(() => passage.close())
    const log = await open({ ackWaitMs: 1_000 }, passage.url)
    const topic = log.topic('t', { codec: text })
    const record = new HandlerRecord(temporaryFolder())
    const processor = topic.group('g').process(record.module, { batchSize: 20 })
    for (let round = 0; round < 5; round++) {
      await topic.appendMany(good(100))
      passage.cut()
      await until('the loss is seen', () => (log.stats().connection?.losses ?? 0) > round)
    }
    await processor.idle()
    // What had been handled may come again; nothing overtakes what comes for the first time.
    expect([...new Set(record.offsets())]).toEqual(range(0, 500))
  })

  it('store a dead letter once, whoever tries, and anew when the group was moved back', async () => {
    const { urls } = await servers()
    const name = newName()
    const engines = await Promise.all([0, 1].map(() => openJetStream(completeOptions(urls, { name, replicas: 1 }))))
    onTestFinished(async () => {
      for (const engine of engines) await engine.close()
    })
    const letter = { value: Buffer.from('x'), extras: { key: undefined, headers: undefined } }
    const store = (engine: (typeof engines)[number]) =>
      storeDeadLetter(engine.topic('dead').stream, letter, 'dead/t/g/0')
    expect(await Promise.all(engines.map(store))).toEqual([0, 0])
    const log = await open({ name })
    expect(await collect(log.topic('dead').read())).toHaveLength(1)
    await log.topic('t', { codec: text }).append('throw')
    const record = new HandlerRecord(temporaryFolder())
    const processor = groupOf(log).process(record.module, { retries: 0, deadLetter: 'dead' })
    await processor.idle()
    await groupOf(log).seek(0)
    await processor.idle()
    expect(await collect(log.topic('dead').read())).toHaveLength(3)
    expect(processor.stats.deadLettered).toBe(2)
  })

  it('store a dead letter of what they have in hand, although no server has the message any more', async () => {
    const name = newName()
    const log = await open({ name })
    const record = new HandlerRecord(temporaryFolder())
    await log.topic('t', { codec: text }).append('throw')
    const options = { retries: 1, backoffMs: 500, deadLetter: 'dead' }
    const processor = groupOf(log).process(record.module, options)
    await until('it has failed once', () => processor.stats.failed > 0)
    await (await open({ name })).topic('t').trim(1)
    await until('it is given up', () => processor.stats.deadLettered > 0)
    const [letter] = await collect(log.topic('dead', { codec: text }).read())
    expect([letter.value, letter.headers?.['bookend-offset']]).toEqual(['throw', '0'])
  })

  it('that end by themselves are counted, told, and listed', async () => {
    const log = await open()
    await log.topic('t', { codec: text }).append('throw')
    const record = new HandlerRecord(temporaryFolder())
    const processor = groupOf(log).process(record.module, { retries: 0 })
    await expect(processor.finished).rejects.toMatchObject({ code: 'E_MINE', topic: 't', offset: 0 })
    expect(log.stats().errors).toEqual({ count: 1, last: 'BOOKEND_HANDLER' })
    const [group] = await log.groups()
    expect(group).toMatchObject({ consumers: 0, processors: [{ state: 'failed', error: processor.error }] })
    const missing = groupOf(log).process(new URL('no-such-module.mjs', import.meta.url))
    expect((await codedFailureOf(() => missing.finished)).code).toBe('BOOKEND_HANDLER')
  })
})
