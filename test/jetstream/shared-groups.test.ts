/** Several logs over the same servers, as processes have them: what one does to a group, the others see. */
import { type Delivery, type Log, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { openJetStream } from '../../src/jetstream/jetstream-engine.js'
import { completeOptions } from '../../src/jetstream/options.js'
import { collect, until } from '../scenarios/support.js'
import { Passage } from '../support/nats/passage.js'
import { range, take, words } from '../support/words.js'
import { withServers } from './fixture.js'

withServers({}, ({ open, newName, servers }) => {
  const pair = async (more: object = {}) => {
    const name = newName()
    const logs = [await open({ name, ...more }), await open({ name, ...more })]
    const groups = logs.map((log: Log) => log.topic('t', { codec: text }).group('g'))
    return { logs, groups, topic: logs[0].topic('t', { codec: text }) }
  }
  const given = ({ offset, attempt }: Delivery<string>) => [offset, attempt]

  it('each message goes to one of them', async () => {
    const { groups, topic } = await pair()
    await topic.appendMany(words(200))
    const seen: number[] = []
    const enough = new AbortController()
    const consuming = groups.map(async (group) => {
      for await (const delivery of group.consume({ prefetch: 10, signal: enough.signal })) {
        seen.push(delivery.offset)
        await delivery.ack()
      }
    })
    await until('each was seen', () => seen.length >= 200)
    enough.abort()
    await Promise.allSettled(consuming)
    expect(seen.sort((a, b) => a - b)).toEqual(range(0, 200))
    await until('all are done', async () => (await groups[0].position()).lag === 0)
    expect((await groups[1].position()).committed).toBe(200)
  })

  it('attempts go on where another process goes on', async () => {
    const { logs, groups, topic } = await pair()
    await topic.append('a')
    const [first] = await take(groups[0].consume(), 1)
    expect(given(first)).toEqual([0, 1])
    await first.nack({ delayMs: 1 })
    await logs[0].close()
    const [second] = await take(groups[1].consume(), 1)
    expect(given(second)).toEqual([0, 2])
  })

  it('what a closed log held is for the others at once', async () => {
    const { logs, groups, topic } = await pair({ ackWaitMs: 3_600_000 })
    await topic.appendMany(words(3))
    const held = groups[0].consume()
    await held.next()
    await held.next()
    await logs[0].close()
    const again = await take(groups[1].consume(), 3)
    expect(again.map(({ offset }) => offset).sort()).toEqual([0, 1, 2])
  })

  it('what a log held that closes while it asks for more is for the others at once', async () => {
    const { logs, groups, topic } = await pair({ ackWaitMs: 3_600_000 })
    await topic.appendMany(words(50))
    const held = groups[0].consume({ prefetch: 100 })
    await take(held, 50)
    // The server owes this one a message.
    const waiting = held.next()
    await Promise.all([logs[0].close(), expect(waiting).rejects.toMatchObject({ code: 'BOOKEND_CLOSED' })])
    const again = await take(groups[1].consume({ prefetch: 100 }), 50)
    expect(again.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(range(0, 50))
  })

  it('what a process holds is not for others, until it is not heard of for ackWaitMs', async () => {
    const name = newName()
    const [url] = (await servers()).urls
    const proxy = await Passage.to(url)
    onTestFinished(() => proxy.close())
    const options = { name, ackWaitMs: 3_000, giveUpMs: 500 }
    const lost = (await open(options, proxy.url)).topic('t', { codec: text })
    const topic = (await open(options)).topic('t', { codec: text })
    await topic.append('a')
    await lost.group('g').consume().next()
    const waiting = topic.group('g').consume().next()
    const nothing = new Promise((resolve) => setTimeout(resolve, 7_000, 'nothing'))
    expect(await Promise.race([waiting, nothing])).toBe('nothing')
    proxy.close()
    expect(given((await waiting).value as Delivery<string>)).toEqual([0, 2])
  })

  it('a seek by one of them brings back what the other has acknowledged', async () => {
    const { groups, topic } = await pair()
    await topic.appendMany(words(5))
    for (const delivery of await take(groups[0].consume(), 5)) await delivery.ack()
    await groups[1].seek(2)
    const again = await take(groups[0].consume(), 3)
    // The server may have owed the consumer before one of them, which then comes back behind the next.
    expect(again.map(({ offset }) => offset).sort()).toEqual([2, 3, 4])
  })

  it('a removal by one of them ends the consumers of the other', async () => {
    const { groups, topic } = await pair()
    const consumer = groups[0].consume()
    const waiting = consumer.next()
    await topic.append('a')
    await (await waiting).value?.ack()
    const next = consumer.next()
    await groups[1].remove()
    expect(await next).toEqual({ done: true, value: undefined })
    const [anew] = await take(groups[0].consume(), 1)
    expect(given(anew)).toEqual([0, 1])
  })

  it('a message that nobody takes is there for who looks, whoever had asked for it', async () => {
    const { logs, topic } = await pair()
    const queue = logs[0].queue('t', { codec: text })
    // It has given up, and gets the message all the same; after a while it gives that back.
    expect(await queue.pop({ timeoutMs: 1 })).toBeUndefined()
    await topic.append('a')
    await topic.append('b')
    for (let count = 0; count < 100; count++) {
      expect(await queue.peek()).toBe('a')
      expect(await collect(queue.browse())).toEqual(['a', 'b'])
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(await queue.pop()).toBe('a')
  })

  it('a consumer that stopped asking keeps nothing from the others for long', async () => {
    const { logs, groups, topic } = await pair()
    await topic.append('a')
    const queue = logs[0].queue('t', { codec: text })
    // It gave up, and what comes for it is not its any more.
    expect(await queue.pop({ timeoutMs: 20 })).toBe('a')
    expect(await queue.pop({ timeoutMs: 20 })).toBeUndefined()
    await topic.append('b')
    expect(await logs[1].queue('t', { codec: text }).pop({ timeoutMs: 30_000 })).toBe('b')
    expect(await groups[0].position()).toMatchObject({ committed: 0, lag: 2 })
  })

  it('what servers say of a group while it goes back means nothing: nothing behind is taken for done', async () => {
    const engine = await openJetStream(completeOptions((await servers()).urls, { name: newName(), replicas: 1 }))
    onTestFinished(() => engine.close())
    const { books } = engine.topic('t').group('g').share
    const before = books.generation
    books.leaveBehind()
    books.setOut(15, 'era')
    const meanwhile = books.generation
    for (const generation of [before, meanwhile]) books.raise(generation, 21)
    expect(books.committed).toBe(15)
    books.arrive()
    // Asked before they had heard of it, and answered now.
    books.raise(meanwhile, 21)
    expect(books.committed).toBe(15)
    books.raise(books.generation, 21)
    expect(books.committed).toBe(21)
  })
})
