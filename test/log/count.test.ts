import { expect, it } from 'vitest'
import type { Engine, EngineTopic, ScanRequest } from '../../src/engine/engine.js'
import { trimmedError } from '../../src/failures.js'
import { TopicFinder } from '../../src/log/finding/topic-finder.js'

/** A topic of 100 messages, of which some more go each time that somebody begins to count. */
function shrinking(goes: readonly number[]) {
  let first = 0
  const asked: [number, number][] = []
  const topic = {
    name: 't',
    mayExpire: false,
    bounds: async () => ({ first, next: 100 }),
    scan: async ({ from, to }: ScanRequest) => {
      asked.push([from, to])
      first = goes[asked.length - 1] ?? first
      if (from < first) throw trimmedError('t', from, first)
      return to - from
    },
  }
  const engine = { supports: { scan: true }, checkOpen() {} }
  const source = { topic: 't', decode: undefined }
  return { asked, finder: new TopicFinder(engine as Engine, topic as unknown as EngineTopic, source) }
}
const where = { type: 'a' }

it('what goes while all is counted is not counted', async () => {
  const { asked, finder } = shrinking([10, 30])
  expect(await finder.count({ where })).toBe(70)
  expect(asked).toEqual([
    [0, 100],
    [10, 100],
    [30, 100],
  ])
  expect(await shrinking([100]).finder.count({ where })).toBe(0)
  expect(await shrinking([60]).finder.count({ where, to: 50 })).toBe(0)
})

it('who names where it begins is told that it went, and other errors are told', async () => {
  const { finder } = shrinking([10])
  await expect(finder.count({ where, from: 5 })).rejects.toMatchObject({ code: 'BOOKEND_TRIMMED' })
  const torn = shrinking([])
  torn.asked.push = () => {
    throw trimmedError('t', 0, 0)
  }
  await expect(torn.finder.count({ where })).rejects.toMatchObject({ code: 'BOOKEND_TRIMMED' })
})
