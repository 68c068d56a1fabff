import { expect, it } from 'vitest'
import { TopicCells } from '../../../src/ring/topic-cells.js'
import { FollowedTopics } from '../../../src/threads/follower/followed-topics.js'

const segmentBytes = 1_000

/** A log with one topic, "a", of ten messages in its first two segments. */
function books() {
  const cells = new TopicCells(TopicCells.allocate())
  const told: string[] = []
  /** Where the first record that is left of a topic stands. */
  const left = new Map<number, { segment: number; first: number }>()
  const topics = new FollowedTopics({
    cells,
    firsts: { trimmed: () => {}, of: (topic) => left.get(topic) },
    segmentOf: (position) => Math.floor(position / segmentBytes),
    firstTopics: [{ id: 0, name: 'a', next: 10, first: 0 }],
    onNew: (id, name) => told.push(`${id} ${name}`),
  })
  const bounds = (id: number) => ({ first: cells.first(id).load(), next: cells.next(id).load() })
  return { topics, told, left, bounds }
}
const found = { name: '', segment: 1, readable: 0 }

it('what is met is said when its position is published, and not before', () => {
  const { topics, told, bounds } = books()
  expect(topics.meet({ ...found, topic: 1, name: 'b', next: 3, count: 3 })).toBe(3)
  expect(told).toEqual(['1 b'])
  expect(topics.nextOf('b')).toBe(3)
  expect(bounds(1).next).toBe(0)
  topics.publish([{ topic: 1 }])
  expect(bounds(1)).toEqual({ first: 0, next: 3 })
})

it('records that were moved forward are not counted again', () => {
  const { topics } = books()
  expect(topics.meet({ ...found, topic: 0, next: 8, count: 4 })).toBe(0)
  expect(topics.meet({ ...found, topic: 0, next: 12, count: 5 })).toBe(2)
  expect(topics.nextOf('a')).toBe(12)
})

it('a topic whose name was lost is not known, and nothing is said of it', () => {
  const { topics, told, bounds } = books()
  expect(topics.meet({ ...found, topic: 7, next: 4, count: 4 })).toBe(0)
  topics.publish([{ topic: 7 }])
  expect(told).toEqual([])
  expect(bounds(7).next).toBe(0)
})

it('where files go a topic begins with the first record that is left, or has none', () => {
  const { topics, left, bounds } = books()
  left.set(0, { segment: 1, first: 6 })
  topics.trimTo(1_000, 2_500)
  expect(bounds(0).first).toBe(6)
  left.clear()
  topics.trimTo(2_000, 2_500)
  expect(bounds(0).first).toBe(10)
})
