/** What is said of a topic's retention while the log is open, which every reaper to come has to be told. */
import { expect, it } from 'vitest'
import type { Retention } from '../../src/engine/terms.js'
import { TopicLimits, type TopicLimitsParts } from '../../src/local/topic-limits.js'

function limitsOf(retention: Retention, readOnly = false): TopicLimits {
  const threads = { reaper: { call: () => Promise.reject(new Error('it has died')) } }
  const options = { directory: '/log', durability: 'process', readOnly, retention }
  return new TopicLimits({ options, threads } as unknown as TopicLimitsParts)
}

it('takes the place of the log’s own, and of what was said before', () => {
  const limits = limitsOf({ maxAgeMs: 5 })
  limits.retain('t', { maxBytes: 1 }, false)
  limits.retain('t', { maxBytes: 2 }, false)
  expect(limits.retained).toEqual([['t', { maxBytes: 2 }]])
})

it('adds to them where it is said to', () => {
  const limits = limitsOf({ maxAgeMs: 5 })
  limits.retain('queue', { consumed: true }, true)
  limits.retain('other', {}, false)
  limits.retain('other', { consumed: true }, true)
  expect(limits.retained).toEqual([
    ['queue', { maxAgeMs: 5, consumed: true }],
    ['other', { consumed: true }],
  ])
})

it('is nobody’s to say of a log that is only read', () => {
  const limits = limitsOf({}, true)
  limits.retain('t', { maxBytes: 1 }, false)
  expect(limits.retained).toEqual([])
})
