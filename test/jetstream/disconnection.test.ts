import diagnostics from 'node:diagnostics_channel'
import { type Log, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { codedFailureOf, collect, until } from '../scenarios/support.js'
import { Passage } from '../support/nats/passage.js'
import { range, words } from '../support/words.js'
import { withServers } from './fixture.js'

withServers({ sync: 'always' }, ({ open, servers, newName }) => {
  const throughProxy = async (more: object = {}) => {
    const [url] = (await servers()).urls
    const proxy = await Passage.to(url)
    onTestFinished(() => proxy.close())
    return { proxy, log: await open(more, proxy.url) }
  }
  const isDown = (log: Log) => log.stats().connection?.disconnectedSince !== undefined

  it.each([1, 20])('batches of %i whose answers were lost are found, not written again', async (count) => {
    const name = newName()
    const { proxy, log } = await throughProxy({ name })
    const there = (await open({ name })).topic('t')
    const topic = log.topic('t', { codec: text })
    await topic.append('first')
    for (let round = 0; round < 2; round++) {
      const { next } = await there.bounds()
      proxy.loseAnswers()
      const appended = topic.appendMany(range(0, count).map((index) => `${round}-${index}`))
      const behind = topic.append(`${round}-behind`)
      await until('the server has it', async () => (await there.bounds()).next >= next + count)
      proxy.cut()
      const { first } = await appended
      expect(await behind).toBe(first + count)
    }
    const read = (await collect(topic.read())).map(({ value }) => value)
    const rounds = [0, 1].flatMap((round) => [
      ...range(0, count).map((index) => `${round}-${index}`),
      `${round}-behind`,
    ])
    expect(read).toEqual(['first', ...rounds])
    expect(log.stats().connection?.found).toBe(2)
  })

  it.each([1, 20])('%i messages with a condition, whose answer was lost, are found, and no conflict', async (count) => {
    const name = newName()
    const { proxy, log } = await throughProxy({ name })
    const there = (await open({ name })).topic('t')
    const topic = log.topic('t', { codec: text })
    await topic.append('first')
    proxy.loseAnswers()
    const appended = topic.appendMany(words(count), { expectedOffset: 1 })
    await until('the server has it', async () => (await there.bounds()).next === 1 + count)
    proxy.cut()
    expect(await appended).toEqual({ first: 1, count })
    expect((await collect(topic.read())).map(({ value }) => value)).toEqual(['first', ...words(count)])
    expect(log.stats().connection?.found).toBe(1)
  })

  it('what does not get through for giveUpMs is BOOKEND_DISCONNECTED, and later appends work again', async () => {
    const log = await open({ giveUpMs: 1_000 })
    const topic = log.topic('t', { codec: text })
    await topic.append('a')
    const [node] = (await servers()).nodes
    await node.kill()
    const errors = await Promise.all([
      codedFailureOf(() => topic.append('b')),
      codedFailureOf(() => topic.bounds()),
      codedFailureOf(() => log.topics()),
      codedFailureOf(() => collect(topic.read())),
    ])
    expect(errors.map(({ code }) => code)).toEqual(errors.map(() => 'BOOKEND_DISCONNECTED'))
    await node.restart()
    await until('it is connected again', () => !isDown(log))
    expect(await topic.append('c')).toBe(1)
    expect((await collect(topic.read())).map(({ value }) => value)).toEqual(['a', 'c'])
  })

  it('consumers and readers go on behind a restart of the server, and the loss is told with its time', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    const seen: string[] = []
    const told: { type: string; disconnectedSince: number }[] = []
    const listen = (message: unknown) => told.push(message as (typeof told)[number])
    diagnostics.subscribe('bookend:connection', listen)
    onTestFinished(() => void diagnostics.unsubscribe('bookend:connection', listen))
    const reader = topic.read({ follow: true })
    const reading = (async () => {
      for await (const { value } of reader) seen.push(value)
    })()
    const consumer = topic.group('g').consume()
    await topic.append('0')
    expect((await consumer.next()).value?.value).toBe('0')
    const begun = Date.now()
    const waiting = consumer.next()
    const [node] = (await servers()).nodes
    await node.kill()
    await until('the loss is seen', () => isDown(log))
    await node.restart()
    await topic.append('1')
    await until('the reader has it', () => seen.includes('1'))
    const { value: delivery } = await waiting
    expect(['0', '1']).toContain(delivery?.value)
    expect(seen).toEqual(['0', '1'])
    const mine = told.filter((each) => (each as unknown as { directory: string }).directory === log.directory)
    expect(mine.map(({ type }) => type)).toEqual(['disconnected', 'connected'])
    expect(mine[1].disconnectedSince).toBeGreaterThanOrEqual(begun)
    await reader.return()
    await reading
  })

  it('a log is closed while the servers are gone', async () => {
    const log = await open({ giveUpMs: 500 })
    const topic = log.topic('t', { codec: text })
    await topic.append('a')
    const [node] = (await servers()).nodes
    await node.kill()
    await until('the loss is seen', () => isDown(log))
    const pending = codedFailureOf(() => topic.append('b'))
    await log.close()
    expect((await pending).code).toBe('BOOKEND_DISCONNECTED')
    await node.restart()
  })
})
