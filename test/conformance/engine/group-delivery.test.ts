import { json, text } from 'bookend'
import { expect, it } from 'vitest'
import { offsetsOf, range, take, words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared }) => {
  const filled = async (count: number) => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    if (count > 0) await topic.appendMany(words(count))
    return { log, topic, group: topic.group('g') }
  }

  it('every group sees every message, with all its parts', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: json })
    await topic.append({ n: 0 }, { key: 'k', headers: { h: 'v' } })
    await topic.append({ n: 1 })
    for (const group of ['a', 'b']) {
      const [first, second] = await take(topic.group(group).consume(), 2)
      expect(first).toMatchObject({ topic: name, offset: 0, attempt: 1, value: { n: 0 }, headers: { h: 'v' } })
      expect(first.key).toEqual(new TextEncoder().encode('k'))
      expect(first.timestamp).toBe((await topic.get(0))?.timestamp)
      expect(second).toMatchObject({ offset: 1, value: { n: 1 } })
    }
  })

  it('consumers of a group share its messages, across handles on it', async () => {
    const { log, topic, group } = await filled(100)
    const other = log.topic(topic.name, { codec: text }).group('g')
    const consumers = [group.consume(), topic.group('g').consume(), other.consume()]
    const taken = await Promise.all(consumers.map((consumer, index) => take(consumer, [50, 30, 20][index])))
    expect(taken.flatMap(offsetsOf).sort((a, b) => a - b)).toEqual(range(0, 100))
    for (const deliveries of taken)
      expect(offsetsOf(deliveries)).toEqual([...offsetsOf(deliveries)].sort((a, b) => a - b))
  })

  it('a consumer waits for what is appended later, and gets it at once', async () => {
    const { topic, group } = await filled(0)
    const consumer = group.consume()
    const waiting = consumer.next()
    for (let number = 0; number < 200; number++) {
      await topic.append(`m${number}`)
      const next = number === 0 ? waiting : consumer.next()
      const { value } = await next
      expect(value?.value).toBe(`m${number}`)
      await value?.ack()
    }
  })

  it('several calls of next() at a time are served in order', async () => {
    const { topic, group } = await filled(3)
    const consumer = group.consume()
    const results = [1, 2, 3, 4].map(() => consumer.next())
    await topic.append('m3')
    const values = (await Promise.all(results)).map(({ value }) => value?.value)
    expect(values).toEqual(['m0', 'm1', 'm2', 'm3'])
  })

  it('a consumer holds no more than prefetch unacknowledged', async () => {
    const { group } = await filled(10)
    const consumer = group.consume({ prefetch: 2 })
    const [first] = await take(consumer, 2)
    let isServed = false
    const third = consumer.next().then(({ value }) => {
      isServed = true
      return value
    })
    // Others are not held up by it.
    expect(offsetsOf(await take(group.consume(), 3))).toEqual([2, 3, 4])
    expect(isServed).toBe(false)
    await first.ack()
    expect((await third)?.offset).toBe(5)
  })
})
