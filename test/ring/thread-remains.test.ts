import { expect, it } from 'vitest'
import type { AddressRange } from '../../src/memory/koffi-blocks.js'
import { ThreadRemains } from '../../src/ring/thread-remains.js'

const reaper = 1_000
const stack = (task: number): AddressRange => ({ address: task * 2 ** 24 + 2 ** 33, byteLength: 2 << 20 })
const heap = (task: number): AddressRange => ({ address: task * 2 ** 24 + 2 ** 34, byteLength: 1 << 20 })
const blocks = (task: number) => [stack(task), heap(task)]

function start() {
  const shared = ThreadRemains.allocate()
  const remains = new ThreadRemains(shared)
  const clear = (...ended: number[]) => {
    const unmapped: AddressRange[] = []
    remains.clear(
      reaper,
      (task) => ended.includes(task),
      (range) => unmapped.push(range),
    )
    return unmapped
  }
  return { shared, remains, clear }
}

it('what a thread has left is unmapped once, after it has ended and not before', () => {
  const { remains, clear } = start()
  for (const task of [7, 8, 9]) remains.enter(task, blocks(task))
  expect(clear()).toEqual([])
  expect(clear(8)).toEqual(blocks(8))
  expect(clear(8)).toEqual([])
  // The kernel gives its numbers out again.
  remains.enter(8, [stack(80)])
  expect(clear(7, 8, 9)).toEqual([...blocks(7), stack(80), ...blocks(9)])
})

it('a thread that ends while it enters its own, or clears those of others, leaves a row that is free, and nothing is unmapped twice', () => {
  const { shared, remains, clear } = start()
  const words = new Int32Array(shared)
  remains.enter(7, blocks(7))
  // As the row is before the last store.
  words[0] = -7
  expect(clear(7)).toEqual([])
  remains.enter(8, blocks(8))
  const dying = () =>
    remains.clear(
      9,
      (task) => task === 8,
      () => {
        throw new Error('the thread ends here')
      },
    )
  expect(dying).toThrow('the thread ends here')
  expect(clear(8)).toEqual([])
  expect(clear(8, 9)).toEqual([])
  expect(words.every((value, at) => value === 0 || at > 0)).toBe(true)
})

it('two that clear at the same time share what there is', () => {
  const { remains, clear } = start()
  for (let task = 1; task <= 20; task++) remains.enter(task, blocks(task))
  const all = Array.from({ length: 20 }, (_, index) => index + 1)
  const unmapped: AddressRange[] = []
  remains.clear(
    2_000,
    () => true,
    (range) => {
      unmapped.push(range)
      if (unmapped.length === 10) unmapped.push(...clear(...all))
    },
  )
  const order = (ranges: AddressRange[]) => ranges.map(({ address }) => address).sort()
  expect(order(unmapped)).toEqual(order(all.flatMap(blocks)))
})

it('where there is no room, and where a thread does not know its number, nothing is entered', () => {
  const { remains, clear } = start()
  remains.enter(0, blocks(1))
  for (let task = 1; task <= 5_000; task++) remains.enter(task, [stack(task)])
  expect(clear(...Array.from({ length: 5_001 }, (_, task) => task)).length).toBe(4_096)
})
