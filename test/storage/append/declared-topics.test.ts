import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DeclaredTopics } from '../../../src/storage/append/declared-topics.js'

const topics = 200

it('names the topics that older segments declare last, the oldest first, whatever was declared and taken back', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ declare: fc.nat(topics - 1) }) },
    { weight: 1, arbitrary: fc.constant('roll' as const) },
    // As when the append that declared them fails.
    { weight: 1, arbitrary: fc.record({ fail: fc.array(fc.nat(topics - 1), { maxLength: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ below: fc.nat(12) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const declared = new DeclaredTopics()
      const model = new Map<number, number>()
      let segment = 0
      for (const each of steps) {
        if (each === 'roll') segment += 1
        else if ('declare' in each) {
          declared.put(each.declare, segment)
          model.set(each.declare, segment)
        } else if ('fail' in each) {
          const before = each.fail.map((id) => ({ id, segment: declared.segmentOf(id) }))
          for (const { id } of before) declared.put(id, segment)
          for (const { id, segment: old } of before.reverse()) declared.put(id, old)
        } else {
          const found = [...declared.below(each.below)]
          const expected = [...model].filter(([, last]) => last < each.below).map(([id]) => id)
          expect([...found].sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b))
          const segments = found.map((id) => declared.segmentOf(id))
          expect(segments).toEqual([...segments].sort((a, b) => a - b))
        }
      }
      for (let id = 0; id < topics; id++) expect(declared.segmentOf(id)).toBe(model.get(id) ?? -1)
    }),
  )
})
