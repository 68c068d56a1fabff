import { type Delivery, text } from 'bookend'
import { expect, it } from 'vitest'
import { offsetsOf, take, words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared, supports }) => {
  const filled = async (count: number) => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.appendMany(words(count))
    return topic.group('g')
  }

  it('a delivery not acknowledged in time goes to the next consumer, counted; a late acknowledgement still counts', async () => {
    const group = await filled(2)
    const [first] = await take(group.consume({ ackTimeoutMs: 30, prefetch: 1 }), 1)
    const other = group.consume()
    const deliveries = await take(other, 2)
    const again = deliveries.find(({ offset }) => offset === first.offset)
    expect(again?.attempt).toBe(2)
    await first.ack()
    expect((await group.position()).committed).toBe(1)
    // The message is done: giving it back changes nothing any more.
    await again?.nack()
    await deliveries.find(({ offset }) => offset === 1)?.ack()
    expect(await group.position()).toMatchObject({ committed: 2, lag: 0 })
  })

  it.runIf(supports.callOrder)(
    'what is acknowledged, or sought past, while the next consumer looks it up is not given to it any more',
    async () => {
      const group = await filled(4)
      const [first] = await take(group.consume(), 1)
      const other = group.consume()
      // By itself, so that its lookup is the only one.
      await first.nack()
      const behindIt = take(other, 1)
      await first.ack()
      expect(offsetsOf(await behindIt)).toEqual([1])

      const [second] = await take(other, 1)
      await second.nack()
      const behindTheSeek = take(other, 1)
      await group.seek(3)
      expect(offsetsOf(await behindTheSeek)).toEqual([3])
    },
  )

  it('a consumer that ends gives back what it holds, at once', async () => {
    const group = await filled(4)
    for await (const delivery of group.consume()) {
      if (delivery.offset === 0) await delivery.ack()
      if (delivery.offset === 2) break
    }
    const again = await take(group.consume(), 3)
    expect(again.map(({ offset, attempt }) => [offset, attempt])).toEqual([
      [1, 2],
      [2, 2],
      [3, 1],
    ])
  })

  it('a message given back comes again, counted, and not before its delay', async () => {
    const group = await filled(3)
    const consumer = group.consume()
    const [a, b] = await take(consumer, 2)
    const start = performance.now()
    await a.nack({ delayMs: 40 })
    await b.nack()
    const again: Delivery<string>[] = []
    let first = b
    while (again.length < 3) {
      const [delivery] = await take(consumer, 1)
      again.push(delivery)
      if (delivery.offset !== 0) continue
      first = delivery
      expect(performance.now() - start).toBeGreaterThanOrEqual(39)
    }
    expect(again.map(({ offset, attempt }) => [offset, attempt]).sort()).toEqual([
      [0, 2],
      [1, 2],
      [2, 1],
    ])
    await first.nack()
    const [third] = await take(consumer, 1)
    expect([third.offset, third.attempt]).toEqual([0, 3])
  })
})
