import { describe, expect, it } from 'vitest'
import { median, pairedRatio, spreadOf } from '../../bench/statistics.js'

describe('statistics', () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })

  it('leaves the order of the rounds alone', () => {
    const rounds = [3, 1, 2]
    spreadOf(rounds)
    expect(rounds).toEqual([3, 1, 2])
  })

  it('pairs what was measured in the same round', () => {
    // The second round was slow for both: the ratio does not see it, a ratio of medians over unlike rounds would.
    expect(pairedRatio([10, 2, 10], [5, 1, 5])).toEqual({ median: 2, min: 2, max: 2, count: 3 })
  })

  it('leaves out rounds in which one of the two is missing', () => {
    expect(pairedRatio([10, undefined, 30], [5, 5, undefined])).toEqual({ median: 2, min: 2, max: 2, count: 1 })
    expect(pairedRatio([undefined], [1])).toBeUndefined()
    expect(pairedRatio([1], [])).toBeUndefined()
  })
})
