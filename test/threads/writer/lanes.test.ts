/** What threads hand over through lanes is taken, whatever they do meanwhile and wherever they end. */
import { expect, it } from 'vitest'
import { frameFlag, frameKind } from '../../../src/format/frame-layout.js'
import { gatherBytes, maxBatchBytes } from '../../../src/limits.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { Engine } from '../../support/engine.js'
import { TestThread, watchLanes, watchNaming } from '../../support/lane-world.js'
import { readAll } from '../../support/model.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { simulatedWorld } from '../../support/worlds.js'

const ENOSPC = 28

function start(): Engine {
  const engine = new Engine(simulatedWorld(), { segmentBytes: 8 << 20 })
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  return engine
}

it.each(seedsFrom(1, 12))('what is handed over is in the log, and every lane comes back (SEED=%i)', async (seed) => {
  expect(await watchLanes(new Seeded(seed))).toBeGreaterThan(30)
})

it.each(seedsFrom(1, 3))('a name has one number for all, at every moment (SEED=%i)', async (seed) => {
  expect(await watchNaming(new Seeded(seed))).toBeGreaterThan(20)
})

it('lanes are served in turn, a step each: nobody waits for more than one write of every other', async () => {
  const engine = start()
  const threads = [0, 1, 2].map((id) => new TestThread(engine, id, 1 << 20))
  for (const thread of threads) while (thread.append(1_000) >= 0);
  await engine.settle()
  const next = engine.cells.next(0).load()
  expect(next).toBe(threads.reduce((sum, { handedOver }) => sum + handedOver, 0))
  let longest = 0
  let run = 0
  let last = -1
  for (const { value } of readAll(engine.reader, 0, 0, next, 'dense')) {
    const [id] = new Uint32Array(value.slice(0, 4).buffer)
    run = id === last ? run + 1 : 1
    last = id
    longest = Math.max(longest, run)
  }
  // What one write takes.
  expect(longest * 1_000).toBeLessThanOrEqual(gatherBytes + maxBatchBytes)
})

it('a full disk refuses in every lane what is awaited there, and keeps what is not', () => {
  const engine = start()
  const [first, second] = [0, 1].map((id) => new TestThread(engine, id))
  engine.state.refuseErrno.store(ENOSPC)
  const [awaited, offered] = [first.append(100, frameFlag.awaited), second.append(100)]
  const tokens = [first, second].map(({ words }) => words.bell.token())
  engine.writer.doWork()
  expect(engine.state.writerState.load()).toBe(writerState.noSpace)
  expect([first.kindAt(awaited), second.kindAt(offered)]).toEqual([frameKind.cancelled, frameKind.data])
  expect([first, second].map(({ words }) => words.cancelledTo.load() === words.ringTail.load())).toEqual([true, true])
  expect([first, second].every(({ words }, index) => words.bell.token() !== tokens[index])).toBe(true)
  // Its thread may end: what it has offered waits for space all the same, and its lane for that.
  second.end()
  engine.writer.doWork()
  expect(engine.lanes.isEnding(second.words.number)).toBe(true)
  engine.state.refuseErrno.store(0)
  engine.writer.doWork()
  expect([engine.cells.next(0).load(), engine.lanes.isEnding(second.words.number)]).toEqual([1, false])
})
