import { expect, it } from 'vitest'
import { BriefWait } from '../../src/dispatcher/brief-wait.js'

/** Long enough for a few looks, on any machine. */
const aMoment = Number.MIN_VALUE

/** How many waits are left out until the next one that is worth while. */
function leftOut(wait: BriefWait): number {
  for (let count = 0; ; count++) if (wait.isDue()) return count
}

it('it looks until there is news, and no further', () => {
  let looks = 0
  new BriefWait(Number.POSITIVE_INFINITY).look(() => {
    looks += 1
    return looks === 1_000
  })
  expect(looks).toBe(1_000)
})

it('after a wait in vain the next ones are left out, twice as many each time, up to a bound', () => {
  const wait = new BriefWait(aMoment)
  const seen: number[] = []
  for (let count = 0; count < 8; count++) {
    seen.push(leftOut(wait))
    wait.look(() => false)
  }
  expect(seen).toEqual([0, 1, 2, 4, 8, 16, 32, 32])
})

it('news bring it back: of what was left out after the last wait in vain, half as much for each', () => {
  const wait = new BriefWait(aMoment)
  for (let count = 0; count < 4; count++) {
    leftOut(wait)
    wait.look(() => false)
  }
  expect(leftOut(wait)).toBe(8)
  wait.look(() => true)
  wait.look(() => true)
  expect(leftOut(wait)).toBe(0)
  wait.look(() => false)
  expect(leftOut(wait)).toBe(4)
  for (let count = 0; count < 3; count++) wait.look(() => true)
  wait.look(() => false)
  expect(leftOut(wait)).toBe(1)
})

it('of no length it is never worth while', () => {
  const wait = new BriefWait(0)
  expect([1, 2, 3].map(() => wait.isDue())).toEqual([false, false, false])
})
