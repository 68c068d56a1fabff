import { expect, it } from 'vitest'
import { movements } from '../../bench/compare.js'
import { Results } from '../../bench/results.js'

const at = (caseName: string, contender: 'bookend' | 'lmdb' = 'bookend') => ({
  caseName,
  messageBytes: 100,
  parameter: 0,
  contender,
  messages: 1,
})

function runOf(caseName: string, figure: string, values: readonly number[]): Results {
  const results = new Results()
  for (const [round, value] of values.entries()) results.record(at(caseName), round, { figures: { [figure]: value } })
  return results
}

it('more is better for a rate and worse for a latency', () => {
  const rates = movements(
    runOf('append', 'messagesPerSecond', [20, 21, 22]),
    runOf('append', 'messagesPerSecond', [10, 11, 12]).all(),
  )
  expect(rates).toMatchObject([{ before: 11, after: 21, isBetter: true }])
  const latencies = movements(runOf('latency', 'p50Us', [20, 21, 22]), runOf('latency', 'p50Us', [10, 11, 12]).all())
  expect(latencies).toMatchObject([{ before: 11, after: 21, isBetter: false }])
})

it('nothing is said of what stayed within its noise, or was not in the earlier run', () => {
  const now = runOf('append', 'messagesPerSecond', [10, 12, 30])
  expect(movements(now, runOf('append', 'messagesPerSecond', [9, 12, 13]).all())).toEqual([])
  expect(movements(now, runOf('read', 'messagesPerSecond', [1, 2, 3]).all())).toEqual([])
  now.record(at('append', 'lmdb'), 0, new Error('broken'))
  expect(movements(now, [])).toEqual([])
})

it('a round that failed is no round', () => {
  const results = runOf('append', 'messagesPerSecond', [10])
  results.record(at('append'), 1, new Error('broken'))
  expect(results.spread(at('append'), 'messagesPerSecond')).toMatchObject({ count: 1, median: 10 })
  expect(results.failures()).toHaveLength(1)
})
