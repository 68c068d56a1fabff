import { expect, it } from 'vitest'
import { Pace } from '../src/pace.js'

it('lets no more begin in any stretch that is so long, wherever it begins', () => {
  const pace = new Pace({ max: 3, intervalMs: 100 })
  const begun: number[] = []
  for (let now = 0; now < 1_000; now += 7)
    if (pace.waitMs(now) === 0) {
      pace.begin(1, now)
      begun.push(now)
    }
  expect(begun.length).toBeGreaterThan(25)
  for (const [index, time] of begun.entries())
    if (index >= 3) expect(time - begun[index - 3]).toBeGreaterThanOrEqual(100)
})

it('says how many may begin, and when the next one may', () => {
  const pace = new Pace({ max: 4, intervalMs: 10 })
  expect([pace.room(9, 0), pace.room(2, 0)]).toEqual([4, 2])
  pace.begin(3, 0)
  expect([pace.room(9, 5), pace.waitMs(5)]).toEqual([1, 0])
  pace.begin(1, 5)
  expect([pace.room(9, 9), pace.waitMs(9)]).toEqual([0, 1])
  expect([pace.room(9, 10), pace.room(9, 15)]).toEqual([3, 4])
})
