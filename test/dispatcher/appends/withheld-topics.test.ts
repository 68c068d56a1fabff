import { expect, it } from 'vitest'
import type { Condition } from '../../../src/engine/terms.js'
import { closedError } from '../../../src/failures.js'
import { frameKind, frameWord, kindOf } from '../../../src/format/frame-layout.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { AppendWorld } from '../../support/append-side.js'
import { outcomeOf, topicState } from '../../support/groups.js'

const named = (text: string, windowMs = 1_000): Condition => ({
  id: { text, windowMs, max: 10 },
})

/** Topics a and b are in the log; each reading of ids ends when the test says so. */
function start() {
  const world = new AppendWorld([topicState(0, 'a', 5), topicState(1, 'b', 5)])
  for (const id of [0, 1]) world.cells.next(id).store(5)
  const [a, b] = ['a', 'b'].map((name) => world.topics.handle(name))
  const readings: { topic: string; windowMs: number; end(): void; fail(): void }[] = []
  world.recallIds = ({ name }, { windowMs }) =>
    new Promise((resolve, reject) => {
      readings.push({ topic: name, windowMs, end: resolve, fail: () => reject(new Error('it cannot be read')) })
    })
  const append = (topic: typeof a, length: number, condition?: Condition) =>
    outcomeOf(world.appends.append(topic, new Uint8Array(length), undefined, 'process', condition))
  /** Topic and length of each message in the ring. */
  const inRing = () => {
    const found: [number, number][] = []
    const { words } = world.memory
    world.memory.visitFrames(0, world.appends.ring.tail, (at) => {
      const word = at >>> 2
      if (kindOf(words[word + frameWord.tail]) === frameKind.data)
        found.push([words[word + frameWord.topic], words[word + frameWord.length]])
    })
    return found
  }
  const settle = async () => {
    for (let turn = 0; turn < 10; turn++) {
      world.takeAll()
      await new Promise(setImmediate)
    }
  }
  return { world, a, b, readings, append, inRing, settle }
}

it('until the ids of a topic are read back its appends wait, in their order, and those of others go on', async () => {
  const { world, a, b, readings, append, inRing, settle } = start()
  const before = append(a, 1)
  const first = append(a, 2, named('x'))
  const behind = append(a, 3)
  const other = append(b, 4)
  const isOffered = [
    world.appends.offer(a, new Uint8Array(5), undefined),
    world.appends.offer(b, new Uint8Array(6), undefined),
  ]
  const ready = outcomeOf(world.appends.ready(a))
  const flush = outcomeOf(world.appends.flush('process'))
  await settle()
  expect(isOffered).toEqual([false, true])
  expect([before, other].map(({ state }) => state)).toEqual(['done', 'done'])
  expect([first, behind, ready, flush].map(({ state }) => state)).toEqual(['pending', 'pending', 'pending', 'pending'])
  expect(world.appends.pendingCount).toBe(2)
  readings[0].end()
  await settle()
  expect([first, behind, ready, flush].map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done'])
  expect(inRing()).toEqual([
    [0, 1],
    [1, 4],
    [1, 6],
    [0, 2],
    [0, 3],
  ])
})

it('ids are read back once for each topic, and again for who asks further back', async () => {
  const { a, b, readings, append, settle } = start()
  append(a, 1, named('x'))
  append(a, 1, named('y', 5_000))
  append(b, 1, named('x'))
  expect(readings.map(({ topic }) => topic)).toEqual(['a', 'b'])
  for (const { end } of readings) end()
  await settle()
  const known = append(a, 1, named('y'))
  await settle()
  expect(known.state).toBe('done')
  append(a, 1, named('z', 5_000))
  expect(readings.map(({ topic, windowMs }) => [topic, windowMs])).toEqual([
    ['a', 1_000],
    ['b', 1_000],
    ['a', 5_000],
  ])
})

it('a topic that is not in the log has no ids to be read back', async () => {
  const { world, readings, append, settle } = start()
  const first = append(world.topics.handle('new'), 1, named('x'))
  await settle()
  expect([first.state, readings.length]).toEqual(['done', 0])
})

it('where they cannot be read back, and where this thread blocks, the writer is left to read them itself', async () => {
  const { world, a, b, readings, append, inRing, settle } = start()
  const failing = append(a, 1, named('x'))
  readings[0].fail()
  await settle()
  expect(failing.state).toBe('done')
  append(b, 2, named('x'))
  append(b, 3)
  expect(inRing().length).toBe(1)
  // No thread is there that could write; what is handed over is in the ring all the same.
  world.state.writerState.store(writerState.died)
  expect(() => world.appends.flushSync('process')).toThrow()
  expect(inRing()).toEqual([
    [0, 1],
    [1, 2],
    [1, 3],
  ])
})

it('what waits is refused when the log ends', async () => {
  const { world, a, readings, append, settle } = start()
  const waiting = append(a, 1, named('x'))
  world.watch.fail(closedError('/log'))
  await settle()
  expect(waiting).toMatchObject({ state: 'failed', error: { code: 'BOOKEND_CLOSED' } })
  readings[0].end()
  await settle()
})
