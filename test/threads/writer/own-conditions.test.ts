/** Conditions of lone messages stand in their frames: what holds is written right out of the ring, what does not says there what is so instead. */
import { expect, it } from 'vitest'
import { frameFlag, frameKind, frameWord } from '../../../src/format/frame-layout.js'
import { IdExtras } from '../../../src/format/id-header.js'
import { failedCall } from '../../../src/memory/errno.js'
import { Engine } from '../../support/engine.js'
import { readAll } from '../../support/model.js'
import { simulatedWorld } from '../../support/worlds.js'

const ENOSPC = 28
const span = { windowMs: 1_000_000, max: 1_000_000 }
const { awaited } = frameFlag

function start(world = simulatedWorld()): Engine {
  const engine = new Engine(world)
  engine.cells.raiseIdSpan(0, span)
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  return engine
}

interface Given {
  id?: string
  key?: Uint8Array
  expectedOffset?: number
  bytes?: number
}

/** @returns where each stands in the ring */
function append(engine: Engine, given: readonly Given[]): number[] {
  return given.map(({ id, key, expectedOffset, bytes = 10 }) => {
    const extras = id === undefined ? undefined : new IdExtras(key, id)
    return engine.offer([
      { topic: 0, value: new Uint8Array(bytes), flags: awaited, ...(extras && { extras }), expectedOffset },
    ])
  })
}

const told = (engine: Engine, places: readonly number[]) => places.map((at) => [engine.kindAt(at), engine.offsetAt(at)])
const flagsAt = (engine: Engine, at: number) => engine.producer.memory.words[(at >>> 2) + frameWord.tail] >>> 24
const { data, known, refused, cancelled } = frameKind

it('is judged in its place among others: by what stands in front of it, and its id first', () => {
  const engine = start()
  const key = new Uint8Array(70).fill(7)
  const places = append(engine, [
    { expectedOffset: 0 },
    { id: 'x' },
    {},
    { id: 'x', expectedOffset: 9 },
    { expectedOffset: 2 },
    { id: 'y', key, expectedOffset: 3 },
    { id: 'y', key: new Uint8Array(0) },
    { id: 'x', expectedOffset: 4 },
    { expectedOffset: 2 ** 40 },
    { id: 'z' },
  ])
  for (let turn = 0; turn < 3; turn++) engine.writer.doWork()
  expect(told(engine, places)).toEqual([
    [data, 0],
    [data, 1],
    [data, 2],
    [known, 1],
    [refused, 3],
    [data, 3],
    [known, 3],
    [known, 1],
    [refused, 4],
    [data, 4],
  ])
  expect(engine.lane.ringHead.load()).toBe(engine.lane.ringTail.load())
  expect(readAll(engine.reader, 0, 0, 5, 'dense')).toHaveLength(5)
  // On disk these bits are others' to use.
  expect([0, 1, 5, 9].map((index) => flagsAt(engine, places[index]) & ~frameFlag.extended)).toEqual(
    Array.from({ length: 4 }, () => awaited),
  )
})

it('a write that fails leaves it in the ring with its conditions, and no id is known that is not written', async () => {
  const world = simulatedWorld()
  const engine = start(world)
  let refusals = 2
  world.disk.fault = ({ call, file }) => {
    if (call !== 'write' || !file.endsWith('.seg') || refusals === 0) return
    refusals -= 1
    throw Object.assign(failedCall('pwritev', ENOSPC), { written: 0 })
  }
  // Only offered, so that nothing refuses it meanwhile; long enough to go past the mapping.
  const given = { topic: 0, value: new Uint8Array(30_000) }
  const at = engine.offer([{ ...given, extras: new IdExtras(undefined, 'x'), expectedOffset: 0 }])
  engine.writer.doWork()
  expect([flagsAt(engine, at) & (frameFlag.expects | frameFlag.named), engine.cells.next(0).load()]).toEqual([
    frameFlag.expects | frameFlag.named,
    0,
  ])
  for (let turn = 0; turn < 5; turn++) {
    engine.writer.doWork()
    await engine.settle(2)
  }
  const [again] = append(engine, [{ id: 'x', expectedOffset: 5 }])
  engine.writer.doWork()
  expect(told(engine, [at, again])).toEqual([
    [data, 0],
    [known, 0],
  ])
})

it('a full disk refuses it like any other', () => {
  const engine = start()
  engine.state.refuseErrno.store(ENOSPC)
  const places = append(engine, [{ id: 'x' }, { expectedOffset: 3 }])
  engine.writer.doWork()
  engine.state.refuseErrno.store(0)
  engine.writer.doWork()
  expect(places.map((at) => engine.kindAt(at))).toEqual([cancelled, cancelled])
  const again = append(engine, [{ id: 'x', expectedOffset: 0 }])
  engine.writer.doWork()
  expect(told(engine, again)).toEqual([[data, 0]])
})

it('more than are judged at once, with ids that meet in the table of a run, come out as if one by one', () => {
  const engine = new Engine(simulatedWorld(), { ringBytes: 1 << 21, segmentBytes: 1 << 22 })
  engine.cells.raiseIdSpan(0, span)
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  const count = 9_000
  const distinct = 7_000
  const given = Array.from({ length: count }, (_, index) => ({ id: `id ${index % distinct}`, bytes: 1 }))
  const places = append(engine, given)
  for (let turn = 0; turn < 50; turn++) engine.writer.doWork()
  expect(told(engine, places)).toEqual(
    Array.from({ length: count }, (_, index) => (index < distinct ? [data, index] : [known, index - distinct])),
  )
})
