import { describe, expect, it } from 'vitest'
import { hasMoved, median, pairedRatio, spreadOf } from '../../bench/statistics.js'

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

  it('call moved what neither run can explain by its own rounds', () => {
    const before = spreadOf([9, 10, 11])
    expect(hasMoved(before, spreadOf([14, 15, 16]))).toBe(true)
    expect(hasMoved(before, spreadOf([5, 6, 7]))).toBe(true)
    // The new median is one that the old rounds have shown.
    expect(hasMoved(before, spreadOf([10.5, 11, 20]))).toBe(false)
    // The new rounds are so far apart that the old median is among them.
    expect(hasMoved(before, spreadOf([8, 15, 16]))).toBe(false)
    // One round shows no spread, so there is nothing to hold the difference against.
    expect(hasMoved(before, spreadOf([100]))).toBe(false)
    expect(hasMoved(spreadOf([1]), before)).toBe(false)
  })
})
