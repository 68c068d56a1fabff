import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HeldStretches } from '../../../src/dispatcher/groups/held-stretches.js'

const maxOffset = 24

it('what is held is what was added and not removed, with its attempt, in order', () => {
  const step = fc.record({
    isAdding: fc.boolean(),
    first: fc.integer({ min: 0, max: maxOffset }),
    count: fc.integer({ min: 1, max: 6 }),
    attempt: fc.integer({ min: 1, max: 2 }),
  })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const held = new HeldStretches()
      const model = new Map<number, number>()
      for (const { isAdding, first, count, attempt } of steps) {
        const end = first + count
        if (!isAdding) {
          held.remove(first, end)
          for (let offset = first; offset < end; offset++) model.delete(offset)
        } else if (!Array.from({ length: count }, (_, index) => first + index).some((offset) => model.has(offset))) {
          held.add({ first, end, attempt })
          for (let offset = first; offset < end; offset++) model.set(offset, attempt)
        }
        const seen = held.list.flatMap(({ first, end, attempt }) =>
          Array.from({ length: end - first }, (_, index) => [first + index, attempt]),
        )
        expect(seen).toEqual([...model].sort(([a], [b]) => a - b))
      }
      expect(held.drain().length > 0).toBe(model.size > 0)
      expect(held.list).toEqual([])
    }),
  )
})
