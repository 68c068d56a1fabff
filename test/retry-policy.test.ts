import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backoffAfter, maxBackoffMs, mayRetry } from '../src/retry-policy.js'

it('a message gets its first attempt and the retries', () => {
  const policy = { retries: 3, backoffMs: 100 }
  expect([1, 2, 3, 4].map((attempt) => mayRetry(policy, attempt))).toEqual([true, true, true, false])
  expect(mayRetry({ retries: 0, backoffMs: 100 }, 1)).toBe(false)
})

it('the pause doubles, less up to a half at random', () => {
  expect([1, 2, 3].map((attempt) => backoffAfter({ backoffMs: 100 }, attempt, 0))).toEqual([50, 100, 200])
  expect([1, 2, 3].map((attempt) => backoffAfter({ backoffMs: 100 }, attempt, 1))).toEqual([100, 200, 400])
})

it('the pause has a ceiling, whatever the attempt', () => {
  const numbers = fc.tuple(
    fc.nat(2 ** 31 - 1),
    fc.integer({ min: 1, max: 1_000_000 }),
    fc.double({ min: 0, max: 0.999 }),
  )
  fc.assert(
    fc.property(
      numbers.filter(([, , random]) => !Number.isNaN(random)),
      ([backoffMs, attempt, random]) => {
        const pauseMs = backoffAfter({ backoffMs }, attempt, random)
        return Number.isInteger(pauseMs) && pauseMs >= 0 && pauseMs <= maxBackoffMs
      },
    ),
  )
})
