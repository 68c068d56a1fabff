import { expect, it } from 'vitest'
import { TopicCells } from '../../../src/ring/topic-cells.js'
import type { MetTopic } from '../../../src/storage/follow/log-walk.js'
import { FollowedWords } from '../../../src/threads/follower/followed-words.js'
import { ShortWay } from '../../../src/threads/follower/short-way.js'
import { sharedWords } from '../../support/shared-words.js'

const found: MetTopic = { topic: 0, name: '', segment: 0, count: 2, next: 12, readable: 0 }

/** One topic of ten messages is known up to position 1000, and the bell of epoch 3 says 1200. */
function rung(met: Partial<MetTopic> = {}, bell = {}) {
  const { state } = sharedWords()
  const cells = new TopicCells(new SharedArrayBuffer(64 * 16))
  cells.next(0).store(10)
  state.published.store(1_000)
  state.publishedRecords.store(10)
  state.believedEpoch.store(3)
  state.believedUntil.store(5_000)
  const words = new FollowedWords(state, 'application')
  let nowMs = 4_000
  const way = new ShortWay({
    state,
    words,
    cells,
    walk: { step: (_, position) => ({ position, topics: [{ ...found, ...met }], time: 77 }), dropBelow() {} },
    readBell: () => ({ sequence: 9, epoch: 3, published: 1_200, trim: 0, ...bell }),
    sharedMs: () => nowMs,
  })
  const known = () => [state.published.load(), state.publishedRecords.load(), cells.next(0).load()]
  return { state, words, cells, way, known, later: (ms: number) => (nowMs += ms) }
}

it('what is short and plain is taken in, once', () => {
  const { state, way, known } = rung()
  expect(way.hear()).toBe(true)
  expect(known()).toEqual([1_200, 12, 12])
  expect([state.durable.load(), state.publishedTime.load()]).toEqual([1_200, 77])
  expect(way.hear()).toBe(true)
  expect(known()).toEqual([1_200, 12, 12])
})

it('records that were moved forward are neither counted again nor taken back', () => {
  const { way, known } = rung({ next: 8, count: 4 })
  expect(way.hear()).toBe(true)
  expect(known()).toEqual([1_200, 10, 10])
})

it('a bell of another epoch, of nobody, of too long ago or of a trim is left, and so is what declares a topic', () => {
  const others = [
    rung({}, { epoch: 2 }),
    rung({}, { trim: 500 }),
    rung({ name: 'u', topic: 1, next: 2 }),
    rung({ topic: 1, next: 2 }),
    rung({ readable: 3 }),
  ]
  const silenced = rung({}, { epoch: 0 })
  silenced.state.believedEpoch.store(0)
  const old = rung()
  old.later(1_000)
  for (const { way, known, words } of [...others, silenced, old]) {
    expect(way.hear()).toBe(false)
    expect(known()).toEqual([1_000, 10, 10])
    // It is nobody's turn.
    expect(words.tryTake()).toBe(true)
  }
})

it('nothing is stored in the turn of the other thread', () => {
  const { state, words, way, known } = rung()
  const others = new FollowedWords(state, 'writer')
  others.take()
  expect(way.hear()).toBe(false)
  expect(known()).toEqual([1_000, 10, 10])
  // What it has not taken it does not give back.
  words.giveBack()
  expect(way.hear()).toBe(false)
  others.giveBack()
  expect(way.hear()).toBe(true)
})
