/** Pauses that end before all lanes have noticed them, and those of a pace. */
import { afterEach, expect, it } from 'vitest'
import type { GroupProcessor } from '../../../src/dispatcher/processing/processor.js'
import { ProcessingWorld, setHandler } from '../../support/processing.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))
const message = (key: string) => ({ value: new Uint8Array(8), key: Buffer.from(key) })

let processor: GroupProcessor | undefined
afterEach(() => processor?.stop())

it('a lane that was in a call goes on with the others, in a round of its own', async () => {
  const world = new ProcessingWorld()
  const desk = world.desk()
  const handled: number[] = []
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let isWaiting = false
  setHandler(async (messages) => {
    if (messages.some(({ offset }) => offset === 0) && !isWaiting) {
      isWaiting = true
      await released
    }
    for (const { offset } of messages) handled.push(offset)
  })
  const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  world.append(keys.map(message))
  processor = world.process(desk, { order: 'key', concurrency: 3, batchSize: 1 })
  while (!isWaiting || handled.length === 0) await turn()
  void processor.pause()
  for (let turns = 0; turns < 50; turns++) await turn()
  processor.resume()
  for (let turns = 0; turns < 50; turns++) await turn()
  world.append(keys.map(message))
  release()
  await processor.idle()
  // First times only: what a lane had done ahead of the others comes again.
  const first = [...new Set(handled)]
  for (let key = 0; key < keys.length; key++)
    expect(first.filter((offset) => offset % keys.length === key)).toEqual([key, key + keys.length])
  expect(desk.ledger.committed).toBe(2 * keys.length)
})

for (const order of ['topic', 'key', 'none'] as const)
  it(`takes no more than its pace allows, and ends while it waits for that (order ${order})`, async () => {
    const world = new ProcessingWorld()
    const desk = world.desk()
    world.append(['a', 'b', 'c', 'd', 'e', 'f'].map(message))
    const handled: number[] = []
    setHandler((messages) => {
      for (const { offset } of messages) handled.push(offset)
    })
    processor = world.process(desk, { order, concurrency: 3, limiter: { max: 4, intervalMs: 3_600_000 } })
    while (handled.length < 4) await turn()
    world.append([message('g')])
    for (let turns = 0; turns < 50; turns++) await turn()
    await processor.stop()
    expect(handled.sort()).toEqual([0, 1, 2, 3])
    expect(desk.ledger.committed).toBe(4)
  })

for (const [order, batchSize] of [
  ['topic', 1],
  ['topic', 3],
  ['key', 1],
  ['none', 3],
] as const)
  it(`counts what is tried again (order ${order}, ${batchSize} a call)`, async () => {
    const world = new ProcessingWorld()
    const desk = world.desk()
    world.append(['a', 'a', 'a', 'a', 'a', 'a'].map(message))
    const begun: number[] = []
    setHandler((messages) => {
      for (const { offset } of messages) begun.push(offset)
      throw new Error('always')
    })
    const limiter = { max: 5, intervalMs: 3_600_000 }
    processor = world.process(desk, { order, batchSize, concurrency: 2, retries: 1_000, backoffMs: 0, limiter })
    while (begun.length === 0) await turn()
    // Time for many attempts, were they allowed.
    await new Promise((resolve) => setTimeout(resolve, 30))
    await processor.stop()
    expect(begun.length, String(begun)).toBeLessThanOrEqual(5)
  })
