import { text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { until } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const value = 'x'.repeat(40_000)

onEveryEngine(({ open, supports }) => {
  describe.runIf(supports.retention)('retention', () => {
    it('by consumption deletes what every group is past, and nothing that one of them has not seen', async () => {
      const log = await open()
      const topic = log.topic('t', { codec: text, retention: { consumed: true } })
      for (let count = 0; count < 400; count += 20) await topic.appendMany(Array.from({ length: 20 }, () => value))
      const [slow, quick] = [topic.group('slow'), topic.group('quick')]
      await slow.seek(300)
      await quick.seek(400)
      await until('what both are past is deleted', async () => (await topic.bounds()).first > 0)
      const { first, next } = await topic.bounds()
      expect(first).toBeLessThanOrEqual(300)
      expect(next).toBe(400)
      const consumed = slow.consume()
      expect((await consumed.next()).value).toMatchObject({ offset: 300, value })
      await consumed.return?.()
      expect((await topic.get(399))?.value).toBe(value)
      expect(await slow.position()).toMatchObject({ committed: 300, lag: 100, skipped: 0 })
    })

    it('by size deletes what is oldest, and keeps as much as was said', async () => {
      const log = await open()
      const maxBytes = 2 << 20
      const topic = log.topic('t', { codec: text, retention: { maxBytes } })
      await until('the first are deleted', async () => {
        await topic.appendMany(Array.from({ length: 20 }, () => value))
        return (await topic.bounds()).first > 0
      })
      const { first, next } = await topic.bounds()
      expect((next - first) * value.length).toBeGreaterThanOrEqual(maxBytes)
      expect((await topic.get(next - 1))?.value).toBe(value)
      expect(await topic.get(0)).toBeUndefined()
    })

    it('of nothing, said later, keeps everything from then on', async () => {
      const log = await open()
      log.topic('t', { retention: { maxBytes: 1 } })
      const topic = log.topic('t', { codec: text, retention: {} })
      for (let count = 0; count < 600; count += 20) await topic.appendMany(Array.from({ length: 20 }, () => value))
      expect(await topic.bounds()).toEqual({ first: 0, next: 600 })
    })
  })
})
