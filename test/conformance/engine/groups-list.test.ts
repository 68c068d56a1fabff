import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf } from '../../scenarios/support.js'
import { take, words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open }) => {
  it('lists the groups that exist, with where they stand and who consumes', async () => {
    const log = await open()
    expect(await log.groups()).toEqual([])
    const topic = log.topic('b', { codec: text })
    await topic.appendMany(words(4))
    topic.group('unused')
    const consumer = topic.group('g').consume()
    expect(await log.groups()).toEqual([])
    const [first] = await take(consumer, 2)
    await first.ack()
    const waiting = codedFailureOf(() => log.topic('a').group('h').consume().next())
    await topic.group('f').seek(3)
    const ended = topic.group('f').consume()
    await take(ended, 1)
    await ended.return?.()
    const none = { processors: [] }
    expect(await log.groups()).toEqual([
      { topic: 'a', name: 'h', committed: 0, lag: 0, consumers: 1, ...none },
      { topic: 'b', name: 'f', committed: 3, lag: 1, consumers: 0, ...none },
      { topic: 'b', name: 'g', committed: 1, lag: 3, consumers: 1, ...none },
    ])
    await topic.group('g').remove()
    expect((await log.groups()).map(({ name }) => name)).toEqual(['h', 'f'])
    await log.close()
    expect((await waiting).code).toBe('BOOKEND_CLOSED')
    await expect(log.groups()).rejects.toMatchObject({ code: 'BOOKEND_CLOSED' })
  })
})
