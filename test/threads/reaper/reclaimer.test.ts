/** Segments written anew without what nobody needs, with the writer and the reaper at work on the simulated disk. */
import { describe, expect, it } from 'vitest'
import { AbortWord } from '../../../src/ring/abort-word.js'
import { readSealedFile } from '../../../src/storage/index/sealed-index.js'
import { indexOfCall } from '../../support/driven-reaper.js'
import { Engine } from '../../support/engine.js'
import { expectPrefix, expectReadable, readAll, recordsOf } from '../../support/model.js'
import { busy, reclaimedSegmentBytes, slow, startReclaimed } from '../../support/reclaimed-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const full = (file: string) => Object.assign(new Error(file), { code: 'ENOSPC', errno: -28, syscall: 'write' })

it('what one topic needs keeps its own bytes, and not those of its neighbours', async () => {
  const { world, engine, model, fillTo, letGo, firsts, expectWhole, generations } = startReclaimed()
  await fillTo(5)
  await letGo()
  expect(generations()).toEqual([1, 1, 1, 1, 1])
  expect(firsts()[slow]).toBe(0)
  // All of the busy topic that stands in sealed segments is gone.
  expect(firsts()[busy]).toBe(engine.catalog.stretches(busy, 0, 1e9)[0].first)
  expect(engine.catalog.stretches(busy, 0, 1e9).map(({ segment }) => segment)).toEqual([5])
  for (let segment = 0; segment < 5; segment++) {
    const sealed = readSealedFile(world.disk, engine.files, segment)
    expect(sealed?.rows.map(({ count }) => count > 0)).toEqual([false, true])
    expect(sealed?.footer.dataEnd).toBeLessThan(reclaimedSegmentBytes / 3)
  }
  for (const way of ['dense', 'sparse', 'borrowed'] as const) expectWhole(way)
  expect(engine.state.rewrites.load()).toBe(5)
  expect(engine.state.rewrittenBytes.load()).toBeGreaterThan(5 * 150_000)
  // The next owner finds the same.
  const again = new Engine(simulatedWorld(world.disk.copy()), { segmentBytes: reclaimedSegmentBytes })
  expectPrefix(again.recovered, model, model.order.length)
  expect(again.recovered.topics.map(({ first }) => first)).toEqual(firsts())
  expectReadable(again.reader, again.recovered, model)
})

it('goes on as the log does, and what is needed no more goes as a whole then', async () => {
  const { engine, fillTo, letGo, pass, expectWhole, generations, firsts } = startReclaimed()
  await fillTo(3)
  await letGo()
  await fillTo(6)
  await pass()
  expect(generations()).toEqual([1, 1, 1, 1, 1, 1])
  expectWhole()
  engine.reaper.retain('slow', { maxBytes: 0 })
  await pass()
  expect(engine.files.list()[0]).toBe(6)
  expectWhole()
  expect(firsts()[slow]).toBe(engine.catalog.stretches(slow, 0, 1e9)[0].first)
})

it('a log in which nothing may be reclaimed lets the reaper sleep, with sealed segments and without', async () => {
  for (const segments of [0, 3]) {
    const { engine, fillTo, pass } = startReclaimed()
    await fillTo(segments)
    await pass(120_000)
    expect(engine.reaper.tend(), `${segments} sealed segments`).toBeGreaterThanOrEqual(1_000)
  }
})

it('nothing is written anew where less than `minDirty` of it may go', async () => {
  const sample = startReclaimed()
  await sample.fillTo(3)
  await sample.letGo({ maxBytes: 0, minDirty: 0.9 })
  expect(sample.generations()).toEqual([0, 0, 0])
  expect(sample.firsts()).toEqual([0, 0])
  const [few] = await sample.engine.reaper.segments(1)
  const { deadBytes = 0, messageBytes = 0, leastBytes } = few.rewriting ?? {}
  expect(few.rewriting).toMatchObject({ state: 'few', at: undefined })
  expect(deadBytes).toBeGreaterThan(0.6 * messageBytes)
  expect([leastBytes, few.neededBy]).toEqual([Math.ceil(0.9 * messageBytes), ['slow']])
  sample.engine.reaper.retain('busy', { maxBytes: 0, minDirty: 0.6 })
  expect((await sample.engine.reaper.segments(1))[0].rewriting?.state).toBe('due')
  await sample.pass(120_000)
  expect(sample.generations()).toEqual([1, 1, 1])
  sample.expectWhole()
})

it('what is trimmed in the middle of a segment goes from there on', async () => {
  const sample = startReclaimed()
  await sample.fillTo(2)
  const { engine, model } = sample
  const first = Math.floor(model.topics[busy].values.length * 0.4)
  engine.offer([{ declare: 'busy', topic: busy, first }])
  engine.writer.doWork()
  await sample.pass()
  // Of the first segment most is gone, of the second nothing.
  expect(sample.generations()).toEqual([1, 0])
  expect(engine.catalog.stretches(busy, 0, 1e9)[0]).toMatchObject({ segment: 0, first })
  sample.expectWhole()
})

describe('who reads meanwhile', () => {
  it.each([true, false])('goes on from where it was, in whatever file it is (mapped: %s)', async (isMapped) => {
    const { engine, model, fillTo, letGo, expectWhole } = startReclaimed({ isMapped })
    await fillTo(4)
    const { length } = model.topics[slow].values
    const starts = [0, 1, 40, Math.floor(length / 2)]
    const readers = starts.flatMap((offset) =>
      [false, true].map((isSparse) => {
        const resume = isSparse ? { position: 0, isSparse } : undefined
        const chunk = engine.reader.read({ topic: slow, offset, to: length, resume })
        return { offset: chunk.next, resume: chunk.resume }
      }),
    )
    // One is in the middle of a copy all the while.
    const pinned = engine.readWindows.acquire(0)
    const before = pinned.window.read(0, 4_096)
    await letGo()
    expect(engine.state.rewrites.load()).toBe(4)
    expect(pinned.window.read(0, 4_096)).toEqual(before)
    for (const { offset, resume } of readers) {
      if (offset === length) continue
      const chunk = engine.reader.read({ topic: slow, offset, to: length, resume })
      const [found] = recordsOf(chunk.bytes, slow, offset, chunk.next)
      expect(found).toMatchObject({ offset, value: model.topics[slow].values[offset] })
    }
    expectWhole()
    engine.readWindows.release(0)
    expectWhole()
    engine.readWindows.dropRetired()
    engine.readWindows.dropUnmappedBelow(4)
    expectWhole('sparse')
    expectWhole()
  })

  it('finds times in the new file', async () => {
    const { engine, model, fillTo, letGo } = startReclaimed()
    await fillTo(3)
    const { length } = model.topics[slow].values
    const times = readAll(engine.reader, slow, 0, length, 'dense').map(({ timestamp }) => timestamp)
    await letGo()
    expect(engine.state.rewrites.load()).toBe(3)
    for (const offset of [0, Math.floor(length / 3), length - 1]) {
      const time = times[offset]
      expect(engine.reader.offsetAt(slow, time, 0, length)).toBe(times.indexOf(time))
    }
  })
})

describe('what may come in between', () => {
  it('is declared and durable before the new file is begun, and that is durable before it takes the name', async () => {
    const { engine, world, fillTo, letGo } = startReclaimed()
    await fillTo(2)
    const { calls } = world.disk
    calls.length = 0
    await letGo()
    const segment = engine.files.path(0)
    const declared = indexOfCall(calls, 'write', engine.files.path(2))
    const durable = indexOfCall(calls, 'sync', engine.files.path(2), declared)
    const begun = indexOfCall(calls, 'create', `${segment}.new`)
    const written = calls.findLastIndex(({ call, file }) => call === 'write' && file === `${segment}.new`)
    const flushed = indexOfCall(calls, 'sync', `${segment}.new`)
    const named = indexOfCall(calls, 'rename', segment)
    const directory = indexOfCall(calls, 'syncDirectory', engine.files.directory, named)
    const order = [declared, durable, begun, written, flushed, named, directory]
    expect(order.every((at) => at >= 0)).toBe(true)
    expect([...order].sort((a, b) => a - b)).toEqual(order)
  })

  it('a full disk: the segment stays as it is, and is tried again when some time has passed', async () => {
    const { engine, world, fillTo, letGo, pass, expectWhole, generations } = startReclaimed()
    await fillTo(2)
    world.disk.fault = ({ call, file }) => {
      if (call === 'write' && file.endsWith('.new')) throw full(file)
    }
    await letGo()
    expect(generations()).toEqual([0, 0])
    expect(engine.events.filter(({ type }) => type === 'error')).toHaveLength(1)
    expect(world.disk.list(engine.files.directory).filter((name) => name.endsWith('.new'))).toEqual([])
    expectWhole()
    world.disk.fault = () => {}
    await pass(120_000)
    expect(generations()).toEqual([1, 1])
    expectWhole()
  })

  it('damage: the segment stays as it is for whoever repairs it', async () => {
    const { engine, world, fillTo, letGo, generations } = startReclaimed()
    await fillTo(3)
    world.disk.bytes(engine.files.path(1))[100_000] ^= 1
    const before = world.disk.bytes(engine.files.path(1)).slice()
    await letGo()
    expect(generations()).toEqual([1, 0, 1])
    expect(world.disk.bytes(engine.files.path(1))).toEqual(before)
    expect(engine.events.filter(({ type }) => type === 'error')).toEqual([])
  })

  it('the end of the log: nothing is left behind', async () => {
    const { engine, world, model, fillTo, pass } = startReclaimed()
    await fillTo(2)
    world.disk.holdSyncs()
    engine.reaper.retain('busy', { maxBytes: 0 })
    const isBegun = () => world.disk.list(engine.files.directory).some((name) => name.endsWith('.new'))
    for (let turn = 0; !isBegun(); turn++) {
      expect(turn).toBeLessThan(1_000)
      world.disk.finishSyncs()
      await pass(100, 1)
    }
    const stopping = engine.reaper.stop(true)
    let isStopped = false
    void stopping.then(() => {
      isStopped = true
    })
    while (!isStopped) {
      world.disk.finishSyncs()
      await new Promise(setImmediate)
    }
    expect(isBegun()).toBe(false)
    const again = new Engine(simulatedWorld(world.disk.copy()), { segmentBytes: reclaimedSegmentBytes })
    expectReadable(again.reader, again.recovered, model)
  })

  it('a backup: no file takes the name of a segment until it is through', async () => {
    let goOn = () => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { engine, fillTo, letGo, pass, generations, expectWhole } = startReclaimed({ beforeCopy: () => held })
    await fillTo(2)
    const copying = engine.reaper.backUp('/copy', new AbortWord())
    await letGo()
    expect(generations()).toEqual([0, 0])
    goOn()
    await copying
    await pass()
    expect(generations()).toEqual([1, 1])
    expectWhole()
  })
})
