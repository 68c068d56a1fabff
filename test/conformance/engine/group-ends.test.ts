import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, expectMistake, failureOf } from '../../scenarios/support.js'
import { offsetsOf, take, words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open, shared }) => {
  const filled = async (count: number) => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.appendMany(words(count))
    return { topic, group: topic.group('g') }
  }

  it('a group that was removed ends its consumers, and starts anew when it is used again', async () => {
    const { topic, group } = await filled(3)
    const consumer = group.consume()
    for (const delivery of await take(consumer, 3)) await delivery.ack()
    const waiting = consumer.next()
    await group.remove()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await group.position()).toMatchObject({ committed: 0, lag: 3 })
    expect(offsetsOf(await take(topic.group('g').consume(), 3))).toEqual([0, 1, 2])
    await group.remove()
    expect(await group.position()).toMatchObject({ committed: 0, lag: 3 })
  })

  it('what a removed group never saw is not counted against the one that begins anew', async () => {
    const { topic, group } = await filled(10)
    await take(group.consume(), 1)
    await topic.trim(6)
    expect(await group.position()).toEqual({ committed: 6, next: 10, lag: 4, skipped: 6 })
    await group.remove()
    expect(offsetsOf(await take(group.consume(), 1))).toEqual([6])
    expect(await group.position()).toEqual({ committed: 6, next: 10, lag: 4, skipped: 0 })
  })

  it('a consumer that waits behind another one ends when it is told to, and keeps that one from nothing', async () => {
    const { topic, group } = await filled(1)
    await (await take(group.consume(), 1))[0]!.ack()
    const controller = new AbortController()
    const first = group.consume().next()
    const second = group.consume({ signal: controller.signal })
    const third = group.consume()
    const aborted = failureOf(() => second.next())
    const returned = third.next()
    await third.return?.()
    expect(await returned).toEqual({ done: true, value: undefined })
    controller.abort(new Error('enough'))
    expect((await aborted).message).toBe('enough')
    await topic.append('more')
    expect((await first).value?.offset).toBe(1)
  })

  it('a signal ends a waiting consumer with its reason, and gives back what it holds', async () => {
    const { group } = await filled(1)
    const controller = new AbortController()
    const consumer = group.consume({ signal: controller.signal })
    await take(consumer, 1)
    const waiting = failureOf(() => consumer.next())
    controller.abort(new Error('enough'))
    expect((await waiting).message).toBe('enough')
    expect((await take(group.consume(), 1))[0]).toMatchObject({ offset: 0, attempt: 2 })
    const aborted = group.consume({ signal: AbortSignal.abort() })
    expect((await failureOf(() => aborted.next())).name).toBe('AbortError')
  })

  it('closing the log ends waiting consumers, and every call after it', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    await topic.appendMany(words(1))
    const group = topic.group('g')
    const consumer = group.consume()
    const [delivery] = await take(consumer, 1)
    const waiting = codedFailureOf(() => consumer.next())
    await log.close()
    expect((await waiting).code).toBe('BOOKEND_CLOSED')
    const calls = [() => delivery.ack(), () => group.position(), () => group.seek(0), () => group.remove()]
    for (const call of [...calls, () => group.consume(), () => log.topic('t')]) {
      expect((await codedFailureOf(call)).code).toBe('BOOKEND_CLOSED')
    }
  })

  it('wrong arguments are refused at the call', async () => {
    const { topic, group } = await filled(1)
    for (const name of ['', '.g', 'a/b', 'x'.repeat(201)]) await expectMistake(() => topic.group(name), RangeError)
    await expectMistake(() => topic.group(1 as never), TypeError)
    await expectMistake(() => group.consume({ prefetch: 0 }), RangeError)
    await expectMistake(() => group.consume({ prefetch: '1' as never }), TypeError)
    await expectMistake(() => group.consume({ ackTimeoutMs: 0 }), RangeError)
    await expectMistake(() => group.consume({ from: 'middle' as never }), RangeError)
    await expectMistake(() => group.consume({ signal: {} as never }), TypeError)
    await expectMistake(() => group.consume({ prefecth: 1 } as never), TypeError)
    await expectMistake(() => group.seek(-1), RangeError)
    await expectMistake(() => group.seek('last' as never), TypeError)
    await expectMistake(() => group.seek(new Date(Number.NaN)), RangeError)
    const [delivery] = await take(group.consume(), 1)
    await expectMistake(() => delivery.nack({ delayMs: -1 }), RangeError)
    await expectMistake(() => delivery.nack({ delay: 1 } as never), TypeError)
    await delivery.ack()
  })
})
