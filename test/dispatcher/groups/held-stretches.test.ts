import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type HeldStretch, HeldStretches } from '../../../src/dispatcher/groups/held-stretches.js'

const maxOffset = 24

/** With their attempts. */
function offsetsOf({ first, end, attempt }: HeldStretch): [number, number][] {
  return Array.from({ length: end - first }, (_, index) => [first + index, attempt])
}

function listed(held: [number, { attempt: number }][]): [number, number][] {
  return held.map(([offset, { attempt }]): [number, number] => [offset, attempt]).sort(([a], [b]) => a - b)
}

it('what is held is what was added and not removed, with its attempt, in order', () => {
  const step = fc.record({
    kind: fc.constantFrom('add', 'remove', 'remove answer'),
    ask: fc.integer({ min: 1, max: 3 }),
    first: fc.integer({ min: 0, max: maxOffset }),
    count: fc.integer({ min: 1, max: 6 }),
    attempt: fc.integer({ min: 1, max: 2 }),
  })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const held = new HeldStretches()
      const model = new Map<number, { attempt: number; ask: number }>()
      const take = (removed: readonly HeldStretch[], isTaken: (offset: number, ask: number) => boolean) => {
        const those = [...model].filter(([offset, { ask }]) => isTaken(offset, ask))
        expect(removed.flatMap(offsetsOf)).toEqual(listed(those))
        for (const [offset] of those) model.delete(offset)
      }
      for (const { kind, ask, first, count, attempt } of steps) {
        const end = first + count
        if (kind === 'remove') take(held.remove(first, end), (offset) => offset >= first && offset < end)
        else if (kind === 'remove answer') take(held.removeAnswer(ask), (_, each) => each === ask)
        else if (!Array.from({ length: count }, (_, index) => first + index).some((offset) => model.has(offset))) {
          held.add({ first, end, attempt, ask, untilMs: 0 })
          for (let offset = first; offset < end; offset++) model.set(offset, { attempt, ask })
        }
        expect(held.list.flatMap(offsetsOf)).toEqual(listed([...model]))
      }
      expect(held.drain().length > 0).toBe(model.size > 0)
      expect(held.list).toEqual([])
    }),
  )
})

it('terms are over one by one, and begin anew', () => {
  const held = new HeldStretches()
  expect(held.dueMs).toBe(Number.POSITIVE_INFINITY)
  held.add({ first: 0, end: 4, attempt: 1, ask: 0, untilMs: 200 })
  held.add({ first: 4, end: 6, attempt: 1, ask: 0, untilMs: 100 })
  held.add({ first: 6, end: 8, attempt: 1, ask: 0, untilMs: Number.POSITIVE_INFINITY })
  expect(held.dueMs).toBe(100)
  held.renew(150, 300)
  expect(held.dueMs).toBe(200)
  expect(held.drainDue(250)).toEqual([{ first: 0, end: 4, attempt: 1, ask: 0, untilMs: 200 }])
  expect(held.drainDue(300)).toEqual([{ first: 4, end: 6, attempt: 1, ask: 0, untilMs: 300 }])
  expect(held.list.map(({ first }) => first)).toEqual([6])
})
