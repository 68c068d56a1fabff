import { describe, expect, it, vi } from 'vitest'
import { start } from '../../support/driven-reaper.js'
import { Engine } from '../../support/engine.js'
import { expectRecords, readAll } from '../../support/model.js'
import { Seeded } from '../../support/seeded.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

describe('retiring', () => {
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

  it('does not look through all mappings on each bell while none can be due', async () => {
    const { engine, fillTo } = start({ mapTtlMs: 1_000 })
    let now = 5_000
    engine.slots.nowMs = () => now
    await fillTo(1)
    await engine.settle(2)
    const looks = vi.spyOn(engine.slots, 'rows')
    for (let bell = 0; bell < 50; bell++, now += 1) engine.reaper.tend()
    expect(looks.mock.calls.length).toBeLessThan(5)
    now += 1_000
    engine.reaper.tend()
    expect(looks.mock.calls.length).toBeGreaterThan(0)
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
})
