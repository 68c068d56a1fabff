/** Segments packed when they are old enough, with the writer and the reaper at work on the simulated disk. */
import { describe, expect, it } from 'vitest'
import { featureWords } from '../../../src/format/features.js'
import { AbortWord } from '../../../src/ring/abort-word.js'
import { readSealedFile } from '../../../src/storage/index/sealed-index.js'
import { indexOfCall } from '../../support/driven-reaper.js'
import { Engine } from '../../support/engine.js'
import { expectPrefix, expectReadable } from '../../support/model.js'
import {
  busy,
  type ReclaimedOptions,
  reclaimedSegmentBytes as segmentBytes,
  startReclaimed,
} from '../../support/reclaimed-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const hour = 3_600_000

/** A log whose segments are packed an hour after they were filled. */
function startPacked(options: ReclaimedOptions = {}) {
  const sample = startReclaimed({ isText: true, ...options, reaper: { compress: { afterMs: hour, codec: 'deflate' } } })
  const { engine, world, pass } = sample
  const sealed = (segment: number) => readSealedFile(world.disk, engine.files, segment)
  const packed = () =>
    Array.from({ length: engine.tail.segment }, (_, segment) => (sealed(segment)?.footer.tableAt ?? 0) > 0)
  const isBegun = () => world.disk.list(engine.files.directory).some((name) => name.endsWith('.new'))
  /** As long as it takes. */
  const passUntil = async (isSo: () => boolean) => {
    for (let turn = 0; !isSo(); turn++) {
      expect(turn).toBeLessThan(10_000)
      await pass(100, 1)
    }
  }
  const allPacked = () => packed().every(Boolean)
  return { ...sample, packed, allPacked, isBegun, passUntil }
}

it('what is old enough is packed, the oldest first, and is what it was, to the next owner as well', async () => {
  const { engine, world, model, fillTo, pass, passUntil, packed, allPacked, expectWhole } = startPacked()
  await fillTo(3)
  await pass(hour / 2)
  expect(packed()).toEqual([false, false, false])
  const outlooks = async () =>
    (await engine.reaper.segments(3)).map(({ packing, lastTime = 0 }) => ({ ...packing, lastTime }))
  for (const { state, at, lastTime } of await outlooks()) expect([state, at]).toEqual(['young', lastTime + hour])
  expect(engine.control.identity.features.incompatible).toBe(0)
  await pass(hour)
  await passUntil(allPacked)
  for (const { state, at } of await outlooks()) expect([state, at]).toEqual(['packed', undefined])
  expect(engine.events.filter(({ type }) => type === 'packed')).toEqual(
    [0, 1, 2].map((segment) => ({ type: 'packed', segment })),
  )
  expect(engine.state.packs.load()).toBe(3)
  expect(engine.state.packedBytes.load()).toBeGreaterThan(segmentBytes)
  expect(engine.control.identity.features).toEqual(featureWords.packed)
  for (const way of ['dense', 'sparse', 'borrowed'] as const) expectWhole(way)
  // Nothing is left to do: the reaper sleeps.
  expect(engine.reaper.tend()).toBeGreaterThan(100)
  const again = new Engine(simulatedWorld(world.disk.copy()), { segmentBytes })
  expectPrefix(again.recovered, model, model.order.length)
  expectReadable(again.reader, again.recovered, model)
})

it('those that are filled later are packed later', async () => {
  const { fillTo, pass, passUntil, packed, allPacked, expectWhole } = startPacked()
  await fillTo(2)
  await pass(2 * hour)
  await passUntil(allPacked)
  await fillTo(4)
  expect(packed()).toEqual([true, true, false, false])
  await pass(2 * hour)
  await passUntil(allPacked)
  expectWhole()
})

it('the file is flushed, and the log says that it has such, before it takes the name', async () => {
  const { engine, world, fillTo, pass, passUntil, packed } = startPacked()
  await fillTo(1)
  const { calls } = world.disk
  calls.length = 0
  await pass(2 * hour)
  await passUntil(() => packed()[0])
  const segment = engine.files.path(0)
  const written = calls.findLastIndex(({ call, file }) => call === 'write' && file === `${segment}.new`)
  const flushed = indexOfCall(calls, 'sync', `${segment}.new`, written)
  const stated = indexOfCall(calls, 'sync', '/log/control', flushed)
  const named = indexOfCall(calls, 'rename', segment)
  const directory = indexOfCall(calls, 'syncDirectory', engine.files.directory, named)
  const order = [written, flushed, stated, named, directory]
  expect(order.every((at) => at >= 0)).toBe(true)
  expect([...order].sort((a, b) => a - b)).toEqual(order)
})

it('what is packed stays so when it is written anew without what nobody needs', async () => {
  const { engine, fillTo, pass, passUntil, allPacked, letGo, generations, expectWhole } = startPacked()
  await fillTo(3)
  await pass(2 * hour)
  await passUntil(allPacked)
  await letGo({ maxBytes: 0 })
  await passUntil(() => generations().every((times) => times === 2))
  expect(allPacked()).toBe(true)
  expect(engine.cells.first(busy).load()).toBeGreaterThan(0)
  for (const way of ['dense', 'sparse'] as const) expectWhole(way)
})

it('one that is written anew first is packed then; nothing is packed that is no shorter so', async () => {
  const text = startPacked()
  await text.fillTo(3)
  await text.letGo({ maxBytes: 0 })
  await text.pass(2 * hour)
  await text.passUntil(() => text.generations().every((times) => times === 2) && text.allPacked())
  text.expectWhole()
  const noise = startPacked({ isText: false })
  await noise.fillTo(2)
  await noise.pass(2 * hour, 200)
  expect(noise.packed()).toEqual([false, false])
  expect(noise.isBegun()).toBe(false)
  expect(noise.engine.events.filter(({ type }) => type === 'error')).toEqual([])
  expect(noise.engine.reaper.tend()).toBeGreaterThan(100)
})

describe('what may come in between', () => {
  it('a full disk: the segment stays as it is, and is tried again when some time has passed', async () => {
    const { engine, world, fillTo, pass, passUntil, packed, allPacked, isBegun, expectWhole } = startPacked()
    await fillTo(2)
    world.disk.fault = ({ call, file }) => {
      if (call === 'write' && file.endsWith('.new'))
        throw Object.assign(new Error(file), { code: 'ENOSPC', errno: -28, syscall: 'write' })
    }
    await pass(2 * hour)
    await passUntil(() => engine.events.some(({ type }) => type === 'error') && !isBegun())
    expect(packed()).toEqual([false, false])
    expectWhole()
    world.disk.fault = () => {}
    await pass(120_000)
    await passUntil(allPacked)
    expectWhole()
  })

  it('the end of the log: nothing is left behind', async () => {
    const { engine, world, model, fillTo, pass, passUntil, isBegun } = startPacked()
    await fillTo(2)
    await pass(2 * hour, 1)
    await passUntil(isBegun)
    await engine.reaper.stop(true)
    expect(isBegun()).toBe(false)
    const again = new Engine(simulatedWorld(world.disk.copy()), { segmentBytes })
    expectReadable(again.reader, again.recovered, model)
  })

  it('its deletion: it does not come back', async () => {
    const { engine, world, model, fillTo, pass, passUntil, isBegun } = startPacked()
    await fillTo(2)
    await pass(2 * hour, 1)
    await passUntil(isBegun)
    for (const [topic, name] of ['busy', 'slow'].entries()) {
      const first = model.topics[topic].values.length
      engine.offer([{ declare: name, topic, first }])
    }
    engine.writer.doWork()
    await passUntil(() => engine.files.list()[0] === 2 && !isBegun())
    await pass(2 * hour)
    expect(engine.files.list()[0]).toBe(2)
    expect(world.disk.list(engine.files.directory).filter((name) => !name.endsWith('.seg'))).toEqual([])
  })

  it('a backup: no file takes the name of a segment until it is through', async () => {
    let goOn = () => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { engine, fillTo, pass, passUntil, packed, allPacked } = startPacked({ beforeCopy: () => held })
    await fillTo(2)
    const copying = engine.reaper.backUp('/copy', new AbortWord())
    await pass(2 * hour, 200)
    expect(packed()).toEqual([false, false])
    goOn()
    await copying
    await passUntil(allPacked)
  })
})
