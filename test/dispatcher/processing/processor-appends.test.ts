/** Appends of handlers for which there is no room at the moment. */
import { expect, it } from 'vitest'
import { BookendError } from '../../../src/errors.js'
import { appendsNothing, ProcessingWorld, setHandler } from '../../support/processing.js'

it.each(['topic', 'none'] as const)(
  'messages whose appends have no room are handled again until they have, however often that is (order %s)',
  async (order) => {
    const world = new ProcessingWorld()
    const attempts = new Set<number>()
    let refusals = 0
    const write = async () => {
      refusals += 1
      if (refusals <= 4) throw new BookendError('BOOKEND_NO_SPACE', 'full')
      return true
    }
    world.means = { data: undefined, beginAppends: () => ({ ...appendsNothing, count: 1, write }) }
    setHandler((_, { attempt }) => void attempts.add(attempt))
    world.append(Array.from({ length: 20 }, () => ({ value: new Uint8Array(1) })))
    const processor = world.process(world.desk(), { order, retries: 0 }, false)
    await processor.idle()
    expect(processor.stats).toEqual({ processed: 20, failed: 4, deadLettered: 0 })
    expect([...attempts]).toEqual([1])
    expect(world.failures).toEqual([])
    await processor.stop()
  },
)

it('a processor that waits for room stops at once', async () => {
  const world = new ProcessingWorld()
  const write = () => Promise.reject(new BookendError('BOOKEND_NO_SPACE', 'full'))
  world.means = { data: undefined, beginAppends: () => ({ ...appendsNothing, count: 1, write }) }
  setHandler(() => {})
  world.append([{ value: new Uint8Array(1) }])
  const desk = world.desk()
  const processor = world.process(desk, { retries: 0 }, false)
  while (processor.stats.failed < 3) await new Promise(setImmediate)
  await processor.stop()
  expect(processor.state).toBe('stopped')
  expect(desk.ledger.committed).toBe(0)
})
