import { expect, it } from 'vitest'
import { TopicCells } from '../../src/ring/topic-cells.js'
import { behindEveryStore } from '../support/interleaving.js'

const topics = [0, 7, 300]

it('cells that are stored together are seen together by who looks behind any of the stores', async () => {
  const shared = TopicCells.allocate()
  const owner = new TopicCells(shared)
  class Waits extends Error {}
  const other = new TopicCells(shared, () => {
    throw new Waits()
  })
  const seen: string[] = []
  const look = (): void => {
    try {
      seen.push(topics.map((topic) => `${other.firstOf(topic)}-${other.nextOf(topic)}`).join(' '))
    } catch (error) {
      if (!(error instanceof Waits)) throw error
      seen.push('waits')
    }
  }
  await behindEveryStore(look, () => {
    owner.storeTogether(() => {
      for (const topic of topics) {
        owner.first(topic).store(1)
        owner.next(topic).store(5)
      }
    })
  })
  expect(seen).toEqual([...Array.from({ length: 7 }, () => 'waits'), '1-5 1-5 1-5'])
})

it('who waits goes on as soon as the stores are over, and not for ever where their thread has died', () => {
  const shared = TopicCells.allocate()
  const owner = new TopicCells(shared)
  const words = new Int32Array(shared)
  let waits = 0
  const other = new TopicCells(shared, () => {
    waits += 1
    // The end of the stores.
    if (waits === 3) Atomics.add(words, words.length - 1, 1)
  })
  owner.storeTogether(() => {
    owner.next(1).store(2)
    expect(other.nextOf(1)).toBe(2)
  })
  expect(waits).toBe(3)
  // As one leaves it who dies: what is there is told, and nobody waits for him again.
  expect(other.nextOf(1)).toBe(2)
  const atMost = waits
  expect(atMost).toBeGreaterThan(3)
  expect([other.nextOf(1), other.firstOf(1), waits]).toEqual([2, 0, atMost])
})
