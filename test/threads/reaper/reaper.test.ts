import { describe, expect, it } from 'vitest'
import { decodeControlRecord } from '../../../src/format/control-layout.js'
import { allocateRetryMs } from '../../../src/limits.js'
import { failedCall } from '../../../src/memory/errno.js'
import { SegmentWindows } from '../../../src/storage/files/segment-windows.js'
import { readSealedSegment } from '../../../src/storage/index/sealed-index.js'
import { Engine, type EngineOptions } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { expectRecords, Model, readAll } from '../../support/model.js'
import { Seeded } from '../../support/seeded.js'
import type { DiskCall } from '../../support/simulated-disk.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

function start(options: EngineOptions = {}) {
  const world = simulatedWorld()
  const engine = new Engine(world, { ringBytes: 1 << 20, ...options })
  const model = new Model()
  model.declare('a')
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  const add = (bytes: number, count = 1) => {
    for (let index = 0; index < count; index++) {
      const value = payloadOf(0, model.topics[0].values.length, bytes)
      model.add(0, value)
      expect(engine.append(0, value)).toBeGreaterThanOrEqual(0)
      engine.writer.doWork()
    }
  }
  /** Appends until the log is in `segment`, with the reaper at work. */
  const fillTo = async (segment: number) => {
    while (engine.tail.segment < segment) {
      add(60_000)
      await engine.settle(2)
    }
  }
  const trim = (before: number) => {
    engine.offer([{ declare: 'a', topic: 0, first: before }])
    engine.writer.doWork()
  }
  return { world, engine, model, add, fillTo, trim }
}

const indexOfCall = (calls: readonly DiskCall[], call: DiskCall['call'], file: string, from = 0) =>
  calls.findIndex((what, index) => index >= from && what.call === call && what.file === file)

describe('opening a log that lacks a segment', () => {
  it.each([
    ['the last one', [1, 2, 3]],
    ['the one with the durable position', [1]],
    ['one behind what is not flushed', [2]],
  ])('appends and flushes behind it: %s', async (_, lost) => {
    const { world, engine, model, add, fillTo } = start()
    await fillTo(1)
    add(1_000, 3)
    await engine.flush()
    expect(engine.files.segmentOf(engine.state.durable.load())).toBe(1)
    // From here on nothing reaches the device.
    world.disk.holdSyncs()
    await fillTo(3)
    add(1_000, 3)
    const disk = world.disk.copy()
    for (const segment of lost) disk.drop(engine.files.path(segment))

    const again = new Engine(simulatedWorld(disk), { ringBytes: 1 << 20 })
    const lostFrom = testSegmentBytes * lost[0]
    expect(again.recovered.damages).toEqual([{ from: lostFrom, to: lostFrom + testSegmentBytes }])
    // The position goes behind what is lost, so what is in front of that is flushed, and before the position is stored.
    const { calls } = disk
    const stored = indexOfCall(calls, 'write', '/log/control')
    if (lost[0] > 1) expect(indexOfCall(calls.slice(0, stored), 'sync', engine.files.path(1))).toBeGreaterThan(0)
    expect(again.state.durable.load()).toBeGreaterThanOrEqual(lostFrom + testSegmentBytes)

    const { next } = again.recovered.topics[0]
    const value = payloadOf(0, next, 500)
    again.append(0, value)
    await again.flush()
    expect(again.events.filter(({ type }) => type === 'error')).toEqual([])
    expect(again.state.durable.load()).toBe(again.state.published.load())
    model.topics[0].values[next] = value
    expectRecords(readAll(again.reader, 0, next, next + 1, 'dense'), model.topics[0], next, next + 1)
  })
})

describe('preparing', () => {
  it('keeps two segments ready behind the active one, each whole, flushed and named before the writer hears of it', () => {
    const { engine, world } = start()
    const seen: number[] = []
    const { prepared } = engine.state
    const store = prepared.store.bind(prepared)
    prepared.store = (segment) => {
      seen.push(segment)
      const { calls } = world.disk
      const file = engine.files.path(segment)
      const steps = [
        indexOfCall(calls, 'create', `${file}.new`),
        indexOfCall(calls, 'write', `${file}.new`),
        indexOfCall(calls, 'sync', `${file}.new`),
        indexOfCall(calls, 'rename', file),
      ]
      steps.push(indexOfCall(calls, 'syncDirectory', engine.files.directory, steps[3]))
      expect(steps.every((at) => at >= 0)).toBe(true)
      expect([...steps].sort((a, b) => a - b)).toEqual(steps)
      store(segment)
    }
    for (let turn = 0; turn < 5; turn++) engine.reaper.tend()
    expect(seen).toEqual([1, 2])
  })

  it('leaves nothing behind when the disk is full, says why, and tries again later', async () => {
    const { engine, world } = start()
    world.disk.fault = ({ call }) => {
      if (call === 'allocate') throw failedCall('fallocate', 28)
    }
    for (let turn = 0; turn < 5; turn++) engine.reaper.tend()
    expect(engine.state.allocateErrno.load()).toBe(28)
    expect(world.disk.list(engine.files.directory).filter((name) => name.endsWith('.new'))).toEqual([])
    expect(engine.events.filter(({ type }) => type === 'error')).toHaveLength(1)
    world.disk.fault = () => {}
    engine.letTimePass(allocateRetryMs)
    engine.reaper.tend()
    expect(engine.state.allocateErrno.load()).toBe(0)
    expect(engine.state.prepared.load()).toBeGreaterThanOrEqual(1)
    // The same trouble is reported once, not every time it is asked about.
    expect(engine.events.filter(({ type }) => type === 'error')).toHaveLength(1)
  })

  it('reports no lack of space while there are blocks enough ahead of the writer', () => {
    const { engine, world } = start()
    for (let turn = 0; turn < 3; turn++) engine.reaper.tend()
    expect(engine.state.allocated.load()).toBe(2 * engine.files.segmentBytes)
    world.disk.fault = ({ call }) => {
      if (call === 'allocate') throw failedCall('fallocate', 28)
    }
    engine.reaper.tend()
    expect(engine.state.allocateErrno.load()).toBe(0)
  })
})

describe('flushing', () => {
  it('serves everybody who waits with one flush, and says durable only afterwards', async () => {
    const { engine, world, add } = start()
    engine.reaper.tend()
    await engine.settle(3)
    world.disk.holdSyncs()
    add(100, 5)
    const position = engine.state.published.load()
    const before = engine.state.durable.load()
    const flushes = engine.state.flushCount.load()
    for (let waiter = 0; waiter < 5; waiter++) engine.requestFlush()
    const asked = engine.producer.tail
    engine.reaper.tend()
    engine.reaper.tend()
    // What comes while it runs belongs to the next one.
    add(100)
    await new Promise(setImmediate)
    expect(engine.state.durable.load()).toBe(before)
    expect(world.disk.finishSyncs()).toBe(1)
    await new Promise(setImmediate)
    expect(engine.state.durable.load()).toBe(position)
    expect(engine.lane.flushedTo.load()).toBe(asked)
    expect(engine.state.flushCount.load()).toBe(flushes + 1)
    // The control file follows the device, never the other way.
    expect(decodeControlRecord(world.disk.bytes('/log/control'))?.durable).toBe(position)
  })

  it('what somebody waits for is flushed as soon as it is published, and reported only when it is on the device', async () => {
    const { engine, world, add } = start()
    await engine.flush()
    const { state, lane, producer } = engine
    const before = lane.flushedTo.load()
    expect(before).toBe(producer.tail)
    const seen: number[] = []
    world.disk.fault = ({ call }) => {
      if (call === 'sync') seen.push(lane.flushedTo.load())
    }
    add(100)
    engine.reaper.tend()
    expect(seen).toEqual([])
    const token = state.reaper.arm()
    lane.flushWished.store(producer.tail + 1)
    add(100)
    // Nobody but the writer has rung.
    expect(state.reaper.token()).not.toBe(token)
    engine.reaper.tend()
    expect(seen).toEqual([before])
    expect(lane.flushedTo.load()).toBe(producer.tail)
    expect(state.durable.load()).toBe(state.published.load())
    add(100)
    engine.reaper.tend()
    expect(seen).toHaveLength(1)
  })

  it('what is written past the ring is flushed with what is handed over behind it, and for whoever asks by a call', async () => {
    const { engine, add } = start()
    const { state, reaper, writer } = engine
    add(100, 4)
    await engine.flush()
    for (const isCalled of [false, true]) {
      writer.trim(0, isCalled ? 2 : 1)
      expect(state.durable.load()).toBeLessThan(state.published.load())
      if (isCalled) await reaper.flushed()
      else await engine.flush()
      expect(state.durable.load()).toBe(state.published.load())
    }
  })

  it.each([5, 24])('what was asked for is never reported by a flush that failed (errno %i)', async (errno) => {
    const { engine, world, add } = start()
    await engine.settle(4)
    const { state, lane } = engine
    const flushedBefore = lane.flushedTo.load()
    lane.flushWished.store(engine.producer.tail + 1)
    add(100)
    const durable = state.durable.load()
    let tries = 0
    world.disk.fault = ({ call, file }) => {
      if (call !== 'sync' || file !== engine.files.path(0)) return
      tries += 1
      throw failedCall('fdatasync', errno)
    }
    for (let turn = 0; turn < 3; turn++) engine.reaper.tend()
    // A failing device is asked once, and a passing trouble not again at once.
    expect(tries).toBe(1)
    expect(lane.flushedTo.load()).toBe(flushedBefore)
    expect(state.durable.load()).toBe(durable)
    expect(state.reaperErrno.load()).toBe(errno === 5 ? 5 : 0)
    world.disk.fault = () => {}
    engine.letTimePass(allocateRetryMs)
    await engine.settle(4)
    expect(lane.flushedTo.load()).toBe(errno === 5 ? flushedBefore : engine.producer.tail)
  })

  it('covers every segment that the log went through', async () => {
    const { engine, world, add } = start()
    await engine.settle(4)
    while (engine.tail.segment < 1) add(60_000)
    add(60_000)
    const { calls } = world.disk
    const from = calls.length
    await engine.flush()
    for (const segment of [0, 1])
      expect(indexOfCall(calls, 'sync', engine.files.path(segment), from)).toBeGreaterThan(0)
    expect(engine.state.durable.load()).toBe(engine.state.published.load())
  })

  it('never tries a failed flush again: nothing becomes durable, the errno stays, the rest of the reaper stops', async () => {
    const { engine, world, add } = start()
    await engine.settle(4)
    add(100)
    const durable = engine.state.durable.load()
    let syncs = 0
    world.disk.fault = ({ call, file }) => {
      if (call !== 'sync' || !file.endsWith('.seg')) return
      syncs += 1
      // It fails once, and would succeed from then on: that success says nothing about the lost pages.
      if (syncs === 1) throw failedCall('msync', 5)
    }
    engine.requestFlush()
    await engine.settle()
    add(100)
    engine.requestFlush()
    await engine.settle()
    expect(syncs).toBe(1)
    expect(engine.state.reaperErrno.load()).toBe(5)
    expect(engine.state.durable.load()).toBe(durable)
    expect(engine.events.filter(({ type }) => type === 'error')).toEqual([
      { type: 'error', what: 'flushing the log', code: 'EIO', errno: 5 },
    ])
    // Not even the last word when the log closes.
    await engine.reaper.stop(true)
    expect(syncs).toBe(1)
    expect(decodeControlRecord(world.disk.bytes('/log/control'))).toMatchObject({ durable, isClean: false })
  })

  it('ends its thread where it has a bug: that is no failure of the device, and the next reaper flushes', async () => {
    const { engine, world, add } = start()
    await engine.settle(4)
    const bug = new TypeError('a bug')
    world.disk.fault = ({ call, file }) => {
      if (call === 'sync' && file.endsWith('.seg')) throw bug
    }
    // On its own thread, as it flushes what is short.
    engine.lane.flushWished.store(engine.producer.tail + 1)
    add(100)
    expect(() => engine.reaper.tend()).toThrow(bug)
    // And on another, which ends the thread as an unhandled rejection.
    await expect(engine.reaper.stop(true)).rejects.toThrow(bug)
    expect(engine.state.reaperErrno.load()).toBe(0)
    expect(engine.events.filter(({ type }) => type === 'error')).toEqual([])
  })

  it('marks the log clean only after everything is flushed', async () => {
    const { engine, world, add } = start()
    await engine.settle(4)
    add(100, 3)
    await engine.reaper.stop(true)
    const record = decodeControlRecord(world.disk.bytes('/log/control'))
    const published = engine.state.published.load()
    expect(record).toMatchObject({ isClean: true, published, durable: published })
  })
})

describe('indexing', () => {
  it('writes the footer of a sealed segment after its data is durable, and flushes nothing for it', async () => {
    const { engine, world, fillTo } = start()
    await fillTo(2)
    const file = engine.files.path(0)
    const { calls } = world.disk
    await engine.settle()
    expect(engine.state.indexed.load()).toBe(2 * testSegmentBytes)
    expect(sealed(world, file)).toBeDefined()
    // The flush of the data, then entries of one topic, directory, footer.
    const last = calls.filter((what) => what.file === file && (what.call === 'write' || what.call === 'sync')).slice(-4)
    expect(last.map(({ call }) => call)).toEqual(['sync', 'write', 'write', 'write'])
  })

  it('waits for a pause in the appends', async () => {
    const { engine, world, add } = start()
    const file = engine.files.path(0)
    await engine.settle(4)
    while (engine.tail.segment < 1) {
      add(60_000)
      await engine.settle(1)
    }
    for (let look = 0; look < 20; look++) {
      add(100)
      await engine.settle(1)
      expect(sealed(world, file)).toBeUndefined()
    }
    await engine.settle()
    expect(sealed(world, file)).toBeDefined()
  })

  it('gives a damaged segment no footer, and goes on', async () => {
    const { engine, world, add, model } = start()
    await engine.settle(4)
    while (engine.tail.segment < 1) add(60_000)
    world.disk.bytes(engine.files.path(0))[5_000] ^= 1
    await engine.flush()
    await engine.settle()
    expect(engine.state.indexed.load()).toBe(testSegmentBytes)
    expect(sealed(world, engine.files.path(0))).toBeUndefined()
    const { length } = model.topics[0].values
    expect(readAll(engine.reader, 0, 1, length, 'dense')).toHaveLength(length - 1)
  })

  function sealed(world: ReturnType<typeof simulatedWorld>, file: string) {
    return readSealedSegment((at, length) => world.disk.bytes(file).slice(at, at + length), 0, testSegmentBytes)
  }
})

describe('locking', () => {
  it('covers what is faulted in ahead of the writer if asked to, and a refusal is reported once', async () => {
    for (const lockActive of [true, false]) {
      const { engine, world, add } = start({ reaper: { lockActive } })
      let asked = 0
      world.calls.lockPages = () => {
        asked += 1
        return failedCall('mlock', 1) as never
      }
      add(100)
      for (let turn = 0; turn < 8; turn++) engine.reaper.tend()
      expect(asked).toBe(lockActive ? 1 : 0)
      const errors = engine.events.filter(({ type }) => type === 'error')
      expect(errors).toEqual(
        lockActive ? [{ type: 'error', what: 'locking pages of the active segment', code: 'EPERM', errno: 1 }] : [],
      )
      add(100)
      expect(engine.state.publishedRecords.load()).toBe(2)
    }
  })
})

describe('retiring', () => {
  it('a retirement that the kernel refuses is reported, and its owner closes the mapping: appending and reading go on', async () => {
    const { engine, world, model, add } = start({ mapTtlMs: 1_000 })
    let now = 0
    engine.slots.nowMs = () => now
    add(1_000, 3)
    await engine.flush()
    now = 1_000
    world.disk.fault = ({ call }) => {
      if (call === 'retire') throw failedCall('mmap', 12, 'retire')
    }
    engine.reaper.tend()
    expect([...engine.slots.rows()].map(({ state }) => state)).toEqual(['leaving'])
    expect(engine.events).toContainEqual({ type: 'error', what: 'retiring a mapping', code: 'ENOMEM', errno: 12 })
    expect(engine.state.reaperErrno.load()).toBe(0)
    // A thread that has ended has nobody to close it: its slot is free all the same.
    world.disk.fault = () => {}
    add(1_000)
    world.disk.fault = ({ call }) => {
      if (call === 'retire') throw failedCall('mmap', 12, 'retire')
    }
    for (const { owner } of engine.slots.rows()) engine.reaper.ownerDied(owner)
    expect([...engine.slots.rows()]).toEqual([])
    world.disk.fault = () => {}
    expectRecords(readAll(engine.reader, 0, 0, 4, 'dense'), model.topics[0], 0, 4)
  })

  it('replaces a mapping that nobody has used for a TTL, and the reader goes on with a new one', async () => {
    const { engine, world, add, fillTo, model } = start({ mapTtlMs: 1_000 })
    let now = 5_000
    engine.slots.nowMs = () => now
    await fillTo(1)
    await engine.flush()
    add(10)
    readAll(engine.reader, 0, 0, 5, 'dense')
    const isRead = (file: string) => world.calls.retired.filter((row) => row.file === file).length
    engine.reaper.tend()
    const before = isRead(engine.files.path(0))
    now += 999
    engine.reaper.tend()
    expect(isRead(engine.files.path(0))).toBe(before)
    now += 2
    engine.reaper.tend()
    expect(isRead(engine.files.path(0))).toBe(before + 1)
    // A stale view would read zeros now; the pins see to it that nobody has one.
    expectRecords(readAll(engine.reader, 0, 0, 5, 'dense'), model.topics[0], 0, 5)
  })

  it('leaves a pinned mapping alone, however old', async () => {
    const { engine, world, fillTo } = start({ mapTtlMs: 1_000 })
    let now = 5_000
    engine.slots.nowMs = () => now
    await fillTo(1)
    await engine.flush()
    engine.reaper.tend()
    world.calls.retired.length = 0
    engine.readWindows.with(0, ({ window }) => {
      now += 1_000_000
      engine.reaper.tend()
      expect(window.read(64, 4)).not.toEqual(new Uint8Array(4))
      expect(world.calls.retired.filter(({ file }) => file === engine.files.path(0))).toEqual([])
    })
  })

  it('retires what the writer has left at once, and flushes that segment all the same', async () => {
    const { engine, world, add, model } = start()
    await engine.settle(4)
    world.disk.holdSyncs()
    while (engine.tail.segment < 1) add(60_000)
    engine.reaper.tend()
    expect(world.calls.retired.map(({ file }) => file)).toEqual([engine.files.path(0)])
    expect(engine.state.retiredCount.load()).toBe(1)
    for (let turn = 0; turn < 8; turn++) {
      world.disk.finishSyncs()
      await engine.settle(1)
    }
    expect(engine.state.durable.load()).toBeGreaterThanOrEqual(testSegmentBytes)
    engine.tailWindows.dropRetired()
    expect([...engine.slots.rows()].filter(({ segment, access }) => segment === 0 && access === 'write')).toEqual([])
    // A power cut now takes nothing of the segment.
    const survived = world.disk.imageAfter(world.disk.events.length, new Seeded(1), 'lost')
    const again = new Engine(simulatedWorld(survived))
    expect(again.recovered.damages).toEqual([])
    expect(again.recovered.topics[0].next).toBeGreaterThan(0)
    expectRecords(readAll(again.reader, 0, 0, 5, 'dense'), model.topics[0], 0, 5)
  })

  it('keeps the tail mapped until it is flushed, however idle', async () => {
    const { engine, world, add } = start({ mapTtlMs: 1_000 })
    let now = 5_000
    engine.slots.nowMs = () => now
    await engine.settle(4)
    world.disk.holdSyncs()
    add(100)
    now += 10_000
    engine.reaper.tend()
    expect(world.calls.retired).toEqual([])
    for (let turn = 0; turn < 4; turn++) {
      engine.requestFlush()
      world.disk.finishSyncs()
      await engine.settle(1)
    }
    expect(world.calls.retired.map(({ file }) => file)).toEqual([engine.files.path(0)])
    engine.tailWindows.dropRetired()
    add(100)
    expect(engine.state.publishedRecords.load()).toBe(2)
  })

  it('gives free memory back once nothing is mapped: its own garbage first, and all of it when the others have had time', async () => {
    const given: string[] = []
    let nowMs = 1
    const shrinkHeap = () => given.push('garbage')
    const { engine, world, add } = start({ mapTtlMs: 1_000, reaper: { nowMs: () => nowMs, shrinkHeap } })
    world.calls.releaseFreeMemory = () => given.push('free')
    let now = 5_000
    engine.slots.nowMs = () => now
    add(100)
    await engine.flush()
    now += 1_001
    engine.reaper.tend()
    // Retired, and its owner has not given it back yet.
    expect(given).toEqual([])
    engine.tailWindows.dropRetired()
    engine.reaper.tend()
    expect(given).toEqual(['garbage'])
    nowMs += 249
    engine.reaper.tend()
    expect(given).toEqual(['garbage'])
    nowMs += 1
    for (let turn = 0; turn < 3; turn++) engine.reaper.tend()
    expect(given).toEqual(['garbage', 'free'])
  })

  it('takes over what a dead thread has left, pinned or not', () => {
    const { engine, world } = start()
    engine.readWindows.acquire(0)
    const [row] = [...engine.slots.rows()].filter(({ access }) => access === 'read')
    engine.reaper.ownerDied(row.owner)
    expect(world.calls.retired.map(({ address }) => address)).toContain(row.address)
    expect([...engine.slots.rows()]).toEqual([])
  })

  it('gives the addresses of a dead reader to others, but not where something may still look: what was lent, or is being flushed', () => {
    const { engine, world, add } = start()
    add(1_000)
    const unmapped: number[] = []
    world.calls.unmap = (address) => {
      unmapped.push(address)
    }
    for (const isLent of [false, true]) {
      const windows = new SegmentWindows(world.memory, world.plainMemory, engine.files, engine.slots, 'read', 4)
      const pinned = windows.acquire(0)
      if (isLent) windows.lend(pinned, 64, 8)
      const [row] = [...engine.slots.rows()].filter(({ access }) => access === 'read')
      unmapped.length = 0
      engine.reaper.ownerDied(row.owner)
      expect(unmapped).toEqual(isLent ? [] : [row.address])
    }
  })
})

describe('deleting', () => {
  async function trimmed() {
    const sample = start()
    await sample.fillTo(2)
    sample.add(100, 3)
    await sample.engine.flush()
    sample.world.disk.calls.length = 0
    const from = sample.engine.catalog
      .stretches(0, 0, Number.MAX_SAFE_INTEGER)
      .find(({ segment }) => segment === 2)?.first
    if (from === undefined) throw new Error('there are records in the active segment')
    sample.trim(from)
    return { ...sample, from }
  }

  it('declares anew, makes that durable, then the trim position, then removes the files, then flushes the directory', async () => {
    const { engine, world, from, model } = await trimmed()
    await engine.settle(20)
    const { calls } = world.disk
    const active = engine.files.path(2)
    const declared = indexOfCall(calls, 'write', active)
    const durable = calls.findLastIndex(({ call, file }) => call === 'sync' && file === active)
    const removed = [0, 1].map((segment) => indexOfCall(calls, 'remove', engine.files.path(segment)))
    const trimWritten = calls
      .slice(0, removed[0])
      .findLastIndex(({ call, file }) => call === 'write' && file === '/log/control')
    const trimSynced = indexOfCall(calls, 'sync', '/log/control', trimWritten)
    const directory = indexOfCall(calls, 'syncDirectory', engine.files.directory, removed[1])
    const order = [declared, durable, trimWritten, trimSynced, ...removed, directory]
    expect(order.every((at) => at >= 0)).toBe(true)
    expect([...order].sort((a, b) => a - b)).toEqual(order)
    expect(engine.state.deletedCount.load()).toBe(2)
    expect(engine.state.trim.load()).toBe(2 * testSegmentBytes)
    const { length } = model.topics[0].values
    expectRecords(readAll(engine.reader, 0, from, length, 'dense'), model.topics[0], from, length)
    const again = new Engine(simulatedWorld(world.disk.copy()))
    expect(again.recovered.topics[0]).toMatchObject({ name: 'a', first: from, next: length })
    expect(again.recovered.damages).toEqual([])
  })

  it('removes nothing while the new declarations are not durable', async () => {
    const { engine, world } = await trimmed()
    world.disk.holdSyncs()
    await engine.settle(20)
    expect(indexOfCall(world.disk.calls, 'remove', engine.files.path(0))).toBe(-1)
    for (let turn = 0; turn < 20; turn++) {
      world.disk.finishSyncs()
      await engine.settle(1)
    }
    expect(indexOfCall(world.disk.calls, 'remove', engine.files.path(0))).toBeGreaterThanOrEqual(0)
  })

  it('is not stopped by a segment that somebody has removed already', async () => {
    const { engine, world } = await trimmed()
    world.disk.drop(engine.files.path(0))
    await engine.settle(20)
    expect(world.disk.has(engine.files.path(1))).toBe(false)
    expect(engine.state.trim.load()).toBe(2 * testSegmentBytes)
  })

  it('keeps every segment that some topic can still read', async () => {
    const sample = start()
    sample.model.declare('b')
    sample.engine.offer([{ declare: 'b', topic: 1 }])
    // Too much to be moved out of the way.
    const value = payloadOf(1, 0, 100_000)
    sample.model.add(1, value)
    sample.engine.append(1, value)
    await sample.fillTo(2)
    await sample.engine.flush()
    sample.trim(sample.model.topics[0].values.length)
    await sample.engine.settle(20)
    expect(sample.engine.state.trim.load()).toBe(0)
    expect(sample.world.disk.has(sample.engine.files.path(0))).toBe(true)
  })
})
