import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RangeClaims } from '../../src/ring/range-claims.js'

it('every range is taken once, whoever is how fast', () => {
  const turns = fc.array(fc.nat(3), { maxLength: 200 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 4 }), turns, (count, shares, order) => {
      const shared = RangeClaims.allocate(count)
      const takers = Array.from({ length: shares }, (_, share) => new RangeClaims(shared).take(share, shares))
      const taken: number[] = []
      // In any order first, then each to its end.
      for (const turn of [...order, ...takers.flatMap((_, taker) => new Array(count + 1).fill(taker))]) {
        const { value, done } = takers[turn % shares].next()
        if (done !== true) taken.push(value)
      }
      expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index))
    }),
  )
})

it('each begins at its own share and goes on where others have not been', () => {
  const shared = RangeClaims.allocate(8)
  const [first, second] = [0, 1].map((share) => new RangeClaims(shared).take(share, 2))
  expect([first.next().value, second.next().value, first.next().value]).toEqual([0, 4, 1])
  expect([...first]).toEqual([2, 3, 5, 6, 7])
  expect([...second]).toEqual([])
})
