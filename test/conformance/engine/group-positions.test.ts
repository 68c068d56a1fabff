import { type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, expectMistake, until } from '../../scenarios/support.js'
import { take, words } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

onEveryEngine(({ shared }) => {
  const filled = async (count: number) => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.appendMany(words(count))
    return { topic, group: topic.group('g') }
  }

  it('the committed offset is the end of the gap-free acknowledged prefix', async () => {
    const { group } = await filled(5)
    expect(await group.position()).toEqual({ committed: 0, next: 5, lag: 5, skipped: 0 })
    const [a, b, c, d] = await take(group.consume(), 5)
    await c.ack()
    await d.ack()
    expect(await group.position()).toMatchObject({ committed: 0, lag: 3 })
    await a.ack()
    expect(await group.position()).toMatchObject({ committed: 1, lag: 2 })
    await b.ack()
    await b.ack()
    expect(await group.position()).toEqual({ committed: 4, next: 5, lag: 1, skipped: 0 })
  })

  it("a new group starts at the first message, or with from: 'next' at the next", async () => {
    const { topic } = await filled(3)
    const late = topic.group('late').consume({ from: 'next' })
    const waiting = late.next()
    await until('the group exists', async () => (await topic.group('late').position()).committed === 3)
    await topic.append('m3')
    const { value } = await waiting
    expect(value?.value).toBe('m3')
    // It is where it is: from is for new groups.
    await value?.nack()
    expect((await take(topic.group('late').consume({ from: 'first' }), 1))[0].offset).toBe(3)
  })

  it('seek goes backwards and forwards, to a time and to the ends', async () => {
    const { topic, group } = await filled(10)
    const consumer = group.consume()
    const early = await take(consumer, 5)
    await group.seek(2)
    // Acknowledgements from before the seek mean nothing.
    for (const delivery of early) await delivery.ack()
    expect(await group.position()).toMatchObject({ committed: 2, lag: 8 })
    const [second] = await take(consumer, 1)
    expect([second.offset, second.attempt]).toEqual([2, 1])
    await group.seek('next')
    expect(await group.position()).toMatchObject({ committed: 10, lag: 0 })
    await group.seek('first')
    expect((await take(consumer, 1))[0].offset).toBe(0)
    await group.seek(new Date(Date.now() + 60_000))
    expect((await group.position()).committed).toBe(10)
    await group.seek(new Date(0))
    expect((await group.position()).committed).toBe(0)
    await group.seek(10)
    await expectMistake(() => group.seek(11), RangeError)
    await topic.trim(4)
    expect(await codedFailureOf(() => group.seek(3))).toMatchObject({ code: 'BOOKEND_TRIMMED', first: 4 })
  })

  it('a group behind the oldest message goes on there, and counts what it never saw', async () => {
    const { topic, group } = await filled(10)
    const consumer = group.consume({ prefetch: 1 })
    const [first] = await take(consumer, 1)
    await first.ack()
    await topic.trim(6)
    expect(await group.position()).toEqual({ committed: 6, next: 10, lag: 4, skipped: 5 })
    expect((await take(consumer, 1))[0].offset).toBe(6)
  })
})

async function fill(log: Log): Promise<void> {
  const topic = log.topic('t', { codec: text })
  await topic.appendMany(words(3))
  const [first] = await take(topic.group('g').consume(), 1)
  await first.ack()
}

onEveryReader(fill, (reader) => {
  it('positions are seen by whoever reads, of groups that were never used as well', async () => {
    const topic = reader.log.topic('t', { codec: text })
    expect(await topic.group('g').position()).toMatchObject({ committed: 1, lag: 2 })
    expect(await topic.group('none').position()).toMatchObject({ committed: 0, lag: 3 })
  })
})
