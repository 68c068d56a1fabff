import { expect, it } from 'vitest'
import { DueHeap, entryAt } from '../../src/later/due-heap.js'
import { comparePlaces, type DueEntry } from '../../src/later/due-order.js'
import { Seeded } from '../support/seeded.js'

const random = new Seeded(7)

/** Times with twins, numbers that none has twice. */
const entries = (count: number): DueEntry[] =>
  Array.from({ length: count }, (_, at) => {
    const order = 1_800_000_000_000 + random.below(count)
    return { due: order, order, id: at * 7, at, isCancel: random.chance(0.2) }
  })

it('has the least at hand, whatever comes and goes', () => {
  const heap = new DueHeap()
  let known: DueEntry[] = []
  for (const entry of entries(500)) {
    heap.push(entry)
    known = [...known, entry].sort(comparePlaces)
    expect(heap.peek()).toEqual(known[0])
    expect(heap.leastOrder).toBe(known[0].order)
    if (random.chance(0.4)) {
      heap.pop()
      known.shift()
    }
    expect(heap.length).toBe(known.length)
  }
  for (const entry of known) {
    expect(heap.peek()).toEqual(entry)
    heap.pop()
  }
  expect([heap.peek(), heap.leastOrder, heap.length]).toEqual([undefined, Number.POSITIVE_INFINITY, 0])
  heap.pop()
  expect(heap.length).toBe(0)
})

it('gives a part in its order, and keeps all until it is told to drop it', () => {
  const heap = new DueHeap()
  const all = entries(300)
  for (const entry of all) heap.push(entry)
  const sorted = heap.sortedBelow(200)
  const given = Array.from({ length: sorted.length / 3 }, (_, index) => entryAt(sorted, index * 3))
  expect(given).toEqual(all.slice(0, 200).sort(comparePlaces))
  expect([heap.length, heap.lowestAt(1_000), heap.lowestAt(-1)]).toEqual([300, 0, -1])
  heap.dropBelow(200)
  expect([heap.length, heap.lowestAt(1_000)]).toEqual([100, 200])
  expect(heap.peek()).toEqual(all.slice(200).sort(comparePlaces)[0])
})
