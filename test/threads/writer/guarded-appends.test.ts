/** Conditions are judged by the writer, in the place of their calls: against the plain model, in any order of threads, over power cuts. */
import { expect, it } from 'vitest'
import { featureSet, featureWords, noFeatures } from '../../../src/format/features.js'
import { frameFlag, frameKind } from '../../../src/format/frame-layout.js'
import { guardBytes, needBytes, writeGuardFrame, writeNeedFrame } from '../../../src/format/guard-layout.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { Engine } from '../../support/engine.js'
import { groupOf, putFrame, sizeOf } from '../../support/frames.js'
import { watchGuards } from '../../support/guarded-threads.js'
import { judgeTogether } from '../../support/judged-together.js'
import { readAll } from '../../support/model.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { simulatedWorld } from '../../support/worlds.js'

const ENOSPC = 28

it.each(seedsFrom(1, 8))('is as in the model: all threads, with and without conditions (SEED=%i)', async (seed) => {
  expect(await watchGuards(new Seeded(seed))).toBeGreaterThan(20)
})

it.each(seedsFrom(1, 6))('what is judged together is judged in order, and written whole (SEED=%i)', async (seed) => {
  expect(await judgeTogether(new Seeded(seed))).toBeGreaterThan(60)
})

function start(): Engine {
  const engine = new Engine(simulatedWorld())
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  return engine
}

/** Returns the guard's place in the ring. */
function appendIf(engine: Engine, expected: number, values: readonly Uint8Array[]): number {
  const { producer } = engine
  const condition = { expectedOffset: expected }
  const frames = groupOf(0, values, frameFlag.awaited)
  const at = producer.place(guardBytes(condition) + frames.reduce((sum, frame) => sum + sizeOf(frame), 0))
  writeGuardFrame(producer.memory.bytes, producer.memory.words, at, 0, condition, frameFlag.awaited)
  let next = at + guardBytes(condition)
  for (const frame of frames) next = putFrame(producer.memory.bytes, producer.memory.words, next, frame)
  producer.advance(next - at)
  engine.publish()
  return at
}

const valuesOf = (...sizes: number[]) => sizes.map((size, index) => new Uint8Array(size).fill(index + 1))

it('a group with a condition is written whole or refused whole, and its frames are not left for who reads the ring', () => {
  const engine = start()
  const first = appendIf(engine, 0, valuesOf(10, 20, 30))
  const second = appendIf(engine, 2, valuesOf(40, 50))
  const third = appendIf(engine, 3, valuesOf(60))
  engine.writer.doWork()
  expect([first, second, third].map((at) => engine.kindAt(at))).toEqual([
    frameKind.guard,
    frameKind.conflict,
    frameKind.guard,
  ])
  expect([first, second, third].map((at) => engine.offsetAt(at))).toEqual([0, 3, 3])
  const refused = second + guardBytes({})
  expect([engine.kindAt(refused), engine.kindAt(refused + 56)]).toEqual([frameKind.cancelled, frameKind.cancelled])
  expect(engine.lane.ringHead.load()).toBe(engine.lane.ringTail.load())
  expect(readAll(engine.reader, 0, 0, 4, 'dense').map(({ value }) => value.length)).toEqual([10, 20, 30, 60])
})

it('is judged anew when there is room: what waits for a segment waits with its condition', async () => {
  const engine = start()
  const { state, writer } = engine
  // Fills the segment but for less than the group takes.
  for (let offset = 0; engine.tail.segment === 0 && offset < 17; offset++) {
    appendIf(engine, offset, valuesOf(60_000))
    await engine.settle(2)
  }
  const next = engine.cells.next(0).load()
  const at = appendIf(engine, next, valuesOf(60_000, 60_000))
  writer.doWork()
  await engine.settle()
  expect([engine.kindAt(at), engine.offsetAt(at)]).toEqual([frameKind.guard, next])
  expect(state.writerState.load()).toBe(writerState.running)
})

it('a full disk refuses what is awaited, conditions as well, and that is no conflict', () => {
  const engine = start()
  engine.state.refuseErrno.store(ENOSPC)
  const at = appendIf(engine, 7, valuesOf(10, 20))
  engine.writer.doWork()
  expect(engine.kindAt(at)).toBe(frameKind.cancelled)
  engine.state.refuseErrno.store(0)
  engine.writer.doWork()
  const again = appendIf(engine, 0, valuesOf(10))
  engine.writer.doWork()
  expect([engine.kindAt(again), engine.offsetAt(again)]).toEqual([frameKind.guard, 0])
})

it('what needs a feature waits until the log says that it has it, with everything behind it, and is then where it was', () => {
  const engine = start()
  const { producer, writer, reaper, state } = engine
  const frames = groupOf(0, valuesOf(10, 20), frameFlag.awaited)
  const at = producer.place(needBytes + frames.reduce((sum, frame) => sum + sizeOf(frame), 0))
  writeNeedFrame(producer.memory.words, at, featureSet('transactions'), frameFlag.awaited)
  let next = at + needBytes
  for (const frame of frames) next = putFrame(producer.memory.bytes, producer.memory.words, next, frame)
  producer.advance(next - at)
  engine.publish()
  const behind = engine.append(0, new Uint8Array(30))
  for (let turn = 0; turn < 3; turn++) writer.doWork()
  expect([engine.cells.next(0).load(), writer.isStalled, state.featuresWanted.load()]).toEqual([0, true, 1])
  expect(engine.control.identity.features).toEqual(noFeatures)
  reaper.tend()
  expect(engine.control.identity.features).toEqual(featureWords.transactions)
  writer.doWork()
  expect([at + needBytes, behind].map((place) => engine.offsetAt(place))).toEqual([0, 2])
  expect(readAll(engine.reader, 0, 0, 3, 'dense').map(({ value }) => value.length)).toEqual([10, 20, 30])
})
