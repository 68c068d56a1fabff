/** A job that waits is not pushed a second time under its id, however long it waits; one that is done is, once its window is over. */
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { until } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const farMs = 3_600_000
const windowMs = 5

/** The window of what was pushed before is over. */
const windowOver = async () => {
  const from = Date.now()
  while (Date.now() <= from + 2 * windowMs) await new Promise((resolve) => setTimeout(resolve, windowMs))
}

onEveryEngine(({ shared }) => {
  it('while it is in the queue, for its time, or for another attempt', async (context) => {
    const { log, name } = await shared()
    if (!log.supports.schedules) context.skip()
    const queue = log.queue(name, { codec: text, dedupe: { windowMs } })
    const bytes = Buffer.from('id')
    const pushed = queue.push('now', { id: 'waits', key: bytes })
    bytes.fill(0)
    expect([await pushed, await queue.push('again', { id: 'waits' })]).toEqual([0, 0])
    expect(await queue.push('now', { id: 'other' })).toBe(1)
    const ticket = await queue.push('later', { id: 'later', delayMs: farMs })
    await windowOver()
    expect(await queue.push('again', { id: 'waits' })).toBe(0)
    expect(await queue.push('again', { id: 'waits', delayMs: 1 }), 'with a delay').toBe(0)
    expect(await queue.push('again', { id: 'later', delayMs: 1 })).toEqual(ticket)
    expect(await queue.push('again', { id: 'later' }), 'without a delay').toEqual(ticket)
    expect([await queue.size(), (await log.scheduled({ topic: name })).length]).toEqual([2, 1])
    expect((await log.topic(name).get(0))?.keyText, 'what goes with it is its own').toBe('id')

    expect(await queue.pop()).toBe('now')
    expect(await queue.cancel(ticket as Exclude<typeof ticket, number>)).toBe(true)
    await windowOver()
    expect(await queue.push('anew', { id: 'waits' }), 'which is done').toBe(2)
    expect(await queue.push('anew', { id: 'later' }), 'which was cancelled').toBe(3)
    expect(await queue.push('again', { id: 'other' }), 'which waits behind one that is done').toBe(1)

    const failing = queue.work(
      () => {
        throw new Error('no')
      },
      { backoffMs: farMs },
    )
    await until('they wait for another attempt', async () => (await log.scheduled({ topic: name })).length === 3)
    await failing.stop()
    await windowOver()
    const waiting = await log.scheduled({ topic: name })
    for (const id of ['waits', 'later', 'other']) {
      const { id: own, deliverAt } = waiting.find(({ headers }) => headers?.['bookend-id'] === id) ?? {}
      expect(await queue.push('again', { id })).toEqual({ id: own, deliverAt })
    }
    expect(await queue.size()).toBe(0)
    await expect(queue.push('no', { id: '' })).rejects.toThrow(RangeError)
    await expect(queue.push('no', { id: 7 as never })).rejects.toThrow(TypeError)
  })

  it('whatever its priority is', async (context) => {
    const { log, name } = await shared()
    if (!log.supports.schedules) context.skip()
    const queue = log.queue(name, { codec: text, priorities: 3 })
    expect(await queue.push('a', { id: 'x', priority: 2 })).toBe(0)
    await queue.push('b', { id: 'y', priority: 1, delayMs: farMs })
    await queue.push('again', { id: 'x' })
    await queue.push('again', { id: 'y', priority: 2 })
    expect([await queue.size(), await queue.pop(), await queue.pop()]).toEqual([1, 'a', undefined])
  })
})
