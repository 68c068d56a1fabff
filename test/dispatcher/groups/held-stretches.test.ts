import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type HeldStretch, HeldStretches } from '../../../src/dispatcher/groups/held-stretches.js'

const maxOffset = 24

/** With their attempts. */
function offsetsOf({ first, end, attempt }: HeldStretch): [number, number][] {
  return Array.from({ length: end - first }, (_, index) => [first + index, attempt])
}

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
          const removed = held.remove(first, end)
          const those = [...model].filter(([offset]) => offset >= first && offset < end).sort(([a], [b]) => a - b)
          expect(removed.flatMap(offsetsOf)).toEqual(those)
          for (let offset = first; offset < end; offset++) model.delete(offset)
        } else if (!Array.from({ length: count }, (_, index) => first + index).some((offset) => model.has(offset))) {
          held.add({ first, end, attempt, untilMs: 0 })
          for (let offset = first; offset < end; offset++) model.set(offset, attempt)
        }
        expect(held.list.flatMap(offsetsOf)).toEqual([...model].sort(([a], [b]) => a - b))
      }
      expect(held.drain().length > 0).toBe(model.size > 0)
      expect(held.list).toEqual([])
    }),
  )
})

it('terms are over one by one, and begin anew', () => {
  const held = new HeldStretches()
  expect(held.dueMs).toBe(Number.POSITIVE_INFINITY)
  held.add({ first: 0, end: 4, attempt: 1, untilMs: 200 })
  held.add({ first: 4, end: 6, attempt: 1, untilMs: 100 })
  held.add({ first: 6, end: 8, attempt: 1, untilMs: Number.POSITIVE_INFINITY })
  expect(held.dueMs).toBe(100)
  held.renew(150, 300)
  expect(held.dueMs).toBe(200)
  expect(held.drainDue(250)).toEqual([{ first: 0, end: 4, attempt: 1, untilMs: 200 }])
  expect(held.drainDue(300)).toEqual([{ first: 4, end: 6, attempt: 1, untilMs: 300 }])
  expect(held.list.map(({ first }) => first)).toEqual([6])
})
