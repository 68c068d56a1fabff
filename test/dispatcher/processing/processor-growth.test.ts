/** Windows that grow: threads that have caught up get what is published without a task for each message. */
import { afterEach, describe, expect, it } from 'vitest'
import type { GroupProcessor } from '../../../src/dispatcher/processing/processor.js'
import type { ProcessOrder } from '../../../src/engine/group-seat.js'
import { ProcessingWorld, setHandler } from '../../support/processing.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const message = (key: string) => ({ value: new Uint8Array(8), key: Buffer.from(key) })

let handled: number[] = []
let processor: GroupProcessor | undefined
afterEach(async () => {
  await processor?.stop()
  handled = []
})

/** A processor that has caught up with one message, and counts from there. */
async function caughtUp(order: ProcessOrder, concurrency: number) {
  const world = new ProcessingWorld()
  const desk = world.desk()
  setHandler((messages) => {
    for (const { offset } of messages) handled.push(offset)
  })
  world.append([message('a')])
  processor = world.process(desk, { order, concurrency, batchSize: 64 })
  while (handled.length < 1) await turn()
  return { world, desk, processor }
}

describe('a window at the end of the topic', () => {
  for (const [order, lanes] of [
    ['topic', 1],
    ['key', 3],
    ['none', 1],
  ] as const) {
    it(`grows by what is published, in the same tasks (order ${order})`, async () => {
      const { world, desk } = await caughtUp(order, lanes)
      const { tasks } = world
      for (let count = 1; count < 300; count++) {
        world.append([message(`key ${count % 5}`)])
        while (handled.length <= count) await turn()
      }
      // Not one a message: only where this thread stalled for longer than a task waits.
      expect(world.tasks - tasks).toBeLessThan(100 * lanes)
      expect([...handled].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, offset) => offset))
      // The tasks end by themselves, with everything acknowledged.
      while (desk.ledger.committed < 300) await pause(1)
    })
  }

  it('acknowledges on the way what a task has done that goes on', async () => {
    const { world, desk } = await caughtUp('topic', 1)
    const { tasks } = world
    while (desk.ledger.committed < 100) {
      world.append([message('a')])
      await pause(2)
    }
    // More was acknowledged than tasks have ended.
    expect(desk.acknowledged.length).toBeGreaterThan(0)
    expect(world.tasks - tasks).toBeLessThan(100)
    expect(processor?.stats.processed).toBeGreaterThanOrEqual(100)
  })

  it('is closed by idle(), which does not wait for more', async () => {
    const { world, desk, processor } = await caughtUp('topic', 1)
    for (let round = 2; round < 20; round++) {
      world.append([message('a')])
      await processor.idle()
      expect(desk.ledger.committed).toBe(round)
    }
  })

  it('does not grow past a consumer that asked before', async () => {
    const { world, desk } = await caughtUp('topic', 1)
    world.append([message('a')])
    while (handled.length < 2) await turn()
    // The processor stands in the row already; from then on they take turns.
    const mine: number[] = []
    for (let round = 0; round < 4; round++) {
      const { lease } = desk.request(1)
      world.append([message('a')])
      await pause(5)
      world.append([message('a')])
      const { first, end } = await lease
      mine.push(first)
      await desk.acknowledge(await lease, first, end)
    }
    while (desk.ledger.committed < world.next) await pause(1)
    expect(mine).toHaveLength(4)
    expect([...handled, ...mine].sort((a, b) => a - b)).toEqual(
      Array.from({ length: world.next }, (_, offset) => offset),
    )
  })

  it('follows a seek', async () => {
    const { world, desk } = await caughtUp('topic', 1)
    world.append(Array.from({ length: 9 }, () => message('a')))
    while (handled.length < 10) await turn()
    await desk.seek(4)
    while (handled.length < 16) await turn()
    expect(handled.slice(10)).toEqual([4, 5, 6, 7, 8, 9])
  })

  it('stops growing where its handler does not keep up, and the rest stays for others', async () => {
    const world = new ProcessingWorld()
    const desk = world.desk()
    let release = () => {}
    setHandler(
      () =>
        new Promise<void>((resolve) => {
          release = resolve
        }),
    )
    world.append([message('a')])
    processor = world.process(desk, { order: 'topic', batchSize: 4 })
    await pause(5)
    for (let count = 0; count < 20; count++) {
      world.append([message('a')])
      await turn()
    }
    const lease = desk.take(100)
    expect(lease?.first).toBeLessThanOrEqual(4)
    expect(lease?.end).toBe(21)
    setHandler(() => {})
    release()
  })
})
