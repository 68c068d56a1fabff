import v8 from 'node:v8'
import { expect, it } from 'vitest'
import { shrinkHeap } from '../../src/memory/shrink-heap.js'
import { until } from '../scenarios/support.js'

/** Keeps enough alive through some young collections that V8 makes the young generation larger. */
function work(): void {
  for (let round = 0; round < 100; round++) {
    let kept: { round: number }[] = []
    for (let index = 0; index < 50_000; index++) kept.push({ round })
    kept = []
  }
}

const youngBytes = () =>
  v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0

it('gives back the young generation and what only garbage holds', async () => {
  const collected: string[] = []
  const registry = new FinalizationRegistry<string>((what) => collected.push(what))
  registry.register(new Uint8Array(32 << 20).buffer, 'buffer')
  work()
  const before = youngBytes()
  expect(before).toBeGreaterThan(4 << 20)
  await shrinkHeap()
  expect(youngBytes()).toBeLessThan(before / 2)
  await until('what was told of it has come', () => collected.length > 0)
  expect(collected).toEqual(['buffer'])
})
