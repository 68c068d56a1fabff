/** What may go is kept by the servers, for everybody, or found out by whoever has said that it may go once it is consumed. */
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { openJetStream } from '../../src/jetstream/jetstream-engine.js'
import { completeOptions } from '../../src/jetstream/options.js'
import { until } from '../scenarios/support.js'
import { take, words } from '../support/words.js'
import { withServers } from './fixture.js'

withServers({}, ({ open, newName, servers }) => {
  const short = { giveUpMs: 500, duplicateWindowMs: 1_000 }

  it('by age is no shorter than duplicateWindowMs, and offsets go on', async () => {
    const name = newName()
    const log = await open({ name, ...short })
    const topic = log.topic('t', { codec: text, retention: { maxAgeMs: 1 } })
    await topic.appendMany(words(5))
    const engine = await openJetStream(
      completeOptions((await servers()).urls, { name, replicas: 1, ...short, readers: 1 }),
    )
    expect((await engine.topic('t').stream.info())?.config.max_age).toBe(1e9)
    await engine.close()
    await until('all are gone', async () => (await topic.bounds()).first === 5)
    expect(await topic.append('next')).toBe(5)
  })

  it('of the log is that of topics which say nothing else, and of those that are there already', async () => {
    const name = newName()
    const before = await open({ name, ...short })
    await before.topic('old', { codec: text }).append('a')
    const log = await open({ name, ...short, retention: { maxAgeMs: 1 } })
    const kept = log.topic('kept', { codec: text, retention: {} })
    await kept.append('a')
    for (const topic of ['new', 'old']) await log.topic(topic, { codec: text }).append('b')
    for (const topic of ['new', 'old'])
      await until('all are gone', async () => (await log.topic(topic).bounds()).first > 0)
    expect(await kept.bounds()).toEqual({ first: 0, next: 1 })
  })

  it('of a queue is what is popped, and nothing that was said of the topic by others', async () => {
    const name = newName()
    const [one, other] = [await open({ name, ...short }), await open({ name, ...short })]
    const queue = other.queue('q', { codec: text })
    one.topic('q', { retention: { maxAgeMs: 3_600_000 } })
    for (const word of words(4)) await queue.push(word)
    for (const word of words(4)) expect(await queue.pop({ timeoutMs: 30_000 })).toBe(word)
    await until('what was popped is gone', async () => (await one.topic('q').bounds()).first === 4)
    expect(await queue.push('e')).toBe(4)
    expect(await queue.pop()).toBe('e')
  })

  it('deletes nothing while a message was given back and nobody asks for it: it would come only behind ackWaitMs', async () => {
    const options = { name: newName(), ackWaitMs: 3_600_000 }
    const logs = [await open(options), await open(options)]
    const [topic] = logs.map((log) => log.topic('t', { codec: text, retention: { consumed: true } }))
    const [group, other] = logs.map((log) => log.topic('t', { codec: text }).group('g'))
    await topic.appendMany(words(3))
    const consumer = group.consume({ prefetch: 2 })
    const [first] = [await consumer.next(), await consumer.next()]
    await first.value?.ack()
    await consumer.return?.()
    // Time to look, and for what was held to go back to the servers: a shorter one would prove less, and a longer one no more.
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    const again = await take(other.consume(), 2)
    expect(again.map(({ offset }) => offset).sort()).toEqual([1, 2])
    for (const delivery of again) await delivery.ack()
    await until('all are done, and deleted', async () => (await topic.bounds()).first === 3)
  })
})
