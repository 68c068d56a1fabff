import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake, failureOf } from '../../scenarios/support.js'
import { words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open, shared, supports }) => {
  const pushed = async (count: number) => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text })
    await Promise.all(words(count).map((word) => queue.push(word)))
    return { log, name, queue }
  }

  it('browsing sees everything not yet popped, and consumes nothing', async () => {
    const { queue } = await pushed(30)
    for (let number = 0; number < 5; number++) await queue.pop()
    expect(await collect(queue.browse())).toEqual(words(25, 5))
    expect(await collect(queue.browse())).toEqual(words(25, 5))
    expect(await queue.size()).toBe(25)
    expect(await queue.pop()).toBe('m5')
  })

  it('clear drops everything pushed before it, and nothing after', async () => {
    const { queue } = await pushed(100)
    await queue.pop()
    // Not awaited: handed over before the call is before it.
    const last = queue.push('last before')
    await queue.clear()
    await last
    expect(await queue.size()).toBe(0)
    expect(await queue.pop()).toBeUndefined()
    expect(await collect(queue.browse())).toEqual([])
    await queue.push('after')
    expect(await queue.peek()).toBe('after')
    expect(await queue.size()).toBe(1)
    expect(await queue.pop()).toBe('after')
    await queue.clear()
    await queue.clear()
  })

  it('what was pushed is there for who looks, also where somebody has waited for it and given up', async () => {
    const { queue } = await pushed(0)
    for (const word of words(50)) {
      expect(await queue.pop()).toBeUndefined()
      // A connected thread's giving up has come to the owner when it is answered.
      expect(await queue.size()).toBe(0)
      await queue.push(word)
      expect(await queue.peek()).toBe(word)
      expect(await collect(queue.browse())).toEqual([word])
      expect(await queue.pop()).toBe(word)
    }
  })

  it.runIf(supports.callOrder)(
    'what is cleared, or acknowledged by a consumer of the group, while it is looked up is not popped',
    async () => {
      const { log, name, queue } = await pushed(3)
      const popped = queue.pop()
      await queue.clear()
      expect(await popped).toBeUndefined()
      await queue.push('after')
      const consumer = log.topic(name).group('queue').consume()
      const { value: delivery } = await consumer.next()
      await delivery?.nack()
      const again = queue.pop()
      await delivery?.ack()
      expect(await again).toBeUndefined()
    },
  )

  it('push() takes what append() takes', async () => {
    const { log, name, queue } = await pushed(0)
    const durability = supports.disk ? 'disk' : 'process'
    const offset = await queue.push('a', { key: 'k', headers: { h: 'v' }, durability })
    expect(await log.topic(name, { codec: text }).get(offset)).toMatchObject({
      keyText: 'k',
      headers: { h: 'v' },
      value: 'a',
    })
    const aborted = AbortSignal.abort(new Error('enough'))
    expect((await failureOf(() => queue.push('b', { signal: aborted }))).message).toBe('enough')
    expect(await queue.size()).toBe(1)
  })

  it('closing the log ends those who wait, and every call after it', async () => {
    const log = await open()
    const queue = log.queue('q', { codec: text })
    const waiting = codedFailureOf(() => queue.pop({ timeoutMs: 30_000 }))
    await new Promise((resolve) => setTimeout(resolve, 5))
    await log.close()
    expect((await waiting).code).toBe('BOOKEND_CLOSED')
    const calls = [
      () => queue.push('x'),
      () => queue.pop(),
      () => queue.peek(),
      () => queue.size(),
      () => queue.clear(),
    ]
    for (const call of [...calls, () => collect(queue.browse()), () => log.queue('q')]) {
      expect((await codedFailureOf(call)).code).toBe('BOOKEND_CLOSED')
    }
  })

  it('wrong arguments are refused at the call', async () => {
    const { log, name, queue } = await pushed(0)
    await expectMistake(() => log.queue('.q'), RangeError)
    await expectMistake(() => log.queue(name, { codec: {} as never }), TypeError)
    await expectMistake(() => queue.pop({ timeoutMs: -1 }), RangeError)
    await expectMistake(() => queue.pop({ timeoutMs: '1' as never }), TypeError)
    await expectMistake(() => queue.pop({ timeout: 1 } as never), TypeError)
    await expectMistake(() => queue.pop({ signal: {} as never }), TypeError)
  })
})
