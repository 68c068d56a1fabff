import { text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { collect, until } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

/** Segments of a mebibyte hold some fifty of them. */
const value = (number: number) => `${number} `.padEnd(20_000, '.')

onEveryEngine(({ open }) => {
  describe('compaction by key', () => {
    it('keeps the latest of each key and what has none, and every offset', async () => {
      const log = await open()
      if (!log.supports.compaction) return
      const topic = log.topic('t', { codec: text, retention: { compact: true } })
      const plain = log.topic('plain', { codec: text })
      let offset = 0
      const put = async (key?: string) => {
        expect(await topic.append(value(offset), key === undefined ? {} : { key })).toBe(offset)
        await plain.append('x', { key: 'x' })
        offset += 1
      }
      await put()
      await put('once')
      await until('what is superseded is gone', async () => {
        for (let count = 0; count < 30; count++) await put(`k${count % 3}`)
        return (await topic.get(2)) === undefined
      })
      expect(await topic.bounds()).toEqual({ first: 0, next: offset })
      const found = await collect(topic.read())
      expect(found.map(({ value }) => value)).toEqual(found.map(({ offset }) => value(offset)))
      expect(found.slice(0, 2).map(({ offset }) => offset)).toEqual([0, 1])
      expect(found.length).toBeLessThan(offset)
      // More of them may go at any time, and none comes back.
      const count = await topic.count()
      expect(count).toBeLessThanOrEqual(found.length)
      expect((await collect(topic.read())).length).toBeLessThanOrEqual(count)
      expect(await collect(topic.read({ where: { none: 'x' } }))).toEqual([])
      const latest = [0, 1, 2].map((key) => offset - 30 + 27 + key)
      expect((await collect(topic.entries())).map(({ offset }) => offset)).toEqual([1, ...latest])
      for (const [key, each] of latest.entries()) expect((await topic.last(`k${key}`))?.offset).toBe(each)
      expect((await topic.getMany([0, 2, latest[0]])).map((each) => each?.offset)).toEqual([0, undefined, latest[0]])
      expect(await topic.append('new', { key: 'k0', expectedVersion: latest[0] })).toBe(offset)
      // A topic beside it has lost nothing.
      expect(await plain.count()).toBe(offset)
      const group = topic.group('g')
      const consumed = group.consume()
      const delivered: number[] = []
      while (delivered.at(-1) !== offset) {
        const delivery = (await consumed.next()).value
        delivered.push(delivery.offset)
        await delivery.ack()
      }
      expect([...found.map((each) => each.offset), offset]).toEqual(expect.arrayContaining(delivered))
      expect(delivered).toEqual(expect.arrayContaining([0, 1, ...latest.slice(1), offset]))
      await consumed.return?.()
      await until('nothing is left to do', async () => (await group.position()).lag === 0)
      expect(await group.position()).toMatchObject({ committed: offset + 1 })
    })
  })
})
