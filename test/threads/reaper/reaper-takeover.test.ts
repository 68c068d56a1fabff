/** A reaper dies in the middle of its work; what the next one finds in the shared words, in the slot table and on disk. */
import { describe, expect, it } from 'vitest'
import { failedCall } from '../../../src/memory/errno.js'
import type { Reaper } from '../../../src/threads/reaper/reaper.js'
import { type TakeOverParts, takeOverFiles, takeOverMappings } from '../../../src/threads/reaper/reaper-takeover.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { expectPrefix, expectReadable, expectRecords, Model, readAll } from '../../support/model.js'
import { Seeded } from '../../support/seeded.js'
import { bootA } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const epoch = 1

function partsOf({ state, files, control, world }: Engine): TakeOverParts {
  return { state, disk: world.disk, files, control, epoch, bootId: bootA, damages: [] }
}

function mappingsOf({ slots, world }: Engine) {
  return { slots, calls: world.calls }
}

/** A log with records that are published and not flushed. */
function unflushed(count = 30): { engine: Engine; model: Model; world: ReturnType<typeof simulatedWorld> } {
  const world = simulatedWorld()
  const engine = new Engine(world)
  const model = new Model()
  model.declare('a')
  engine.offer([{ declare: 'a', topic: 0 }])
  for (let number = 0; number < count; number++) {
    const value = payloadOf(0, number, 5_000)
    if (engine.append(0, value) < 0) throw new Error('the ring has room')
    model.add(0, value)
    engine.writer.doWork()
  }
  return { engine, model, world }
}

describe('a new reaper', () => {
  it('voids the pins of the dead one and leaves those of owners', () => {
    const { engine } = unflushed()
    const [row] = [...engine.slots.rows()]
    engine.slots.pinRow(row)
    engine.tailWindows.acquire(row.segment)
    takeOverMappings(mappingsOf(engine))
    expect([...engine.slots.rows()][0].pins).toBe(1)
    engine.tailWindows.release(row.segment)
    expect([...engine.slots.rows()][0].pins).toBe(0)
  })

  it('finishes a retirement, for which the owner may be waiting', () => {
    const { engine, world } = unflushed()
    const [row] = [...engine.slots.rows()]
    expect(engine.slots.tryRetire(row)).toBe(true)
    takeOverMappings(mappingsOf(engine))
    expect(world.calls.retired.length).toBe(1)
    expect(engine.tailWindows.dropRetired()).toEqual([row.segment])
  })

  it('finishes a retirement that the kernel refuses by asking the owner to close the mapping', () => {
    const { engine, world } = unflushed()
    const [row] = [...engine.slots.rows()]
    engine.slots.tryRetire(row)
    world.disk.fault = ({ call }) => {
      if (call === 'retire') throw failedCall('mmap', 12, 'retire')
    }
    takeOverMappings(mappingsOf(engine))
    expect(engine.tailWindows.dropRetired()).toEqual([row.segment])
  })

  it('does not believe a flush whose outcome nobody has heard: what was not durable is written again', async () => {
    const { engine, model, world } = unflushed()
    const { disk } = world
    // The device refused the pages, the kernel dropped their dirty marks, and the error went down with the dead reaper: a
    // flush from now on says "done" and means none of them.
    const baseline = disk.events.length
    const { id } = disk.inode(engine.files.path(0))
    for (const event of disk.events) {
      const isBatch = event.kind === 'write' && event.inode === id && event.at >= 64
      if (isBatch) event.bytes = new Uint8Array(0)
    }
    await takeOverFiles(partsOf(engine))
    const rewritten = disk.events.slice(baseline).filter((event) => event.kind === 'write')
    const bytes = rewritten.reduce((sum, event) => sum + (event.kind === 'write' ? event.bytes.length : 0), 0)
    expect(bytes).toBeGreaterThanOrEqual(engine.state.published.load() - engine.files.base(0) - 64)
    const reaper = engine.nextReaper({ flushIntervalMs: 0 })
    reaper.tend()
    await new Promise(setImmediate)
    expect(engine.state.durable.load()).toBe(engine.state.published.load())
    const image = new Engine(simulatedWorld(disk.imageAfter(disk.events.length, new Seeded(1), 'lost')))
    expect(expectPrefix(image.recovered, model, model.order.length).count).toBe(model.order.length)
    expectReadable(image.reader, image.recovered, model)
  })

  it('says that the device failed where published bytes are not there any more', async () => {
    const { engine, world } = unflushed()
    // Evicted after the failed flush, and read back from the device as it was before.
    world.disk.bytes(engine.files.path(0)).fill(0, 40_000, 50_000)
    await expect(takeOverFiles(partsOf(engine))).rejects.toMatchObject({ code: 'EIO' })
    await expect(
      takeOverFiles({ ...partsOf(engine), damages: [{ from: 0, to: engine.files.base(1) }] }),
    ).resolves.toBeUndefined()
  })

  it('removes half made segments, and finishes a deletion whose position was stored', async () => {
    const { engine, world } = unflushed()
    world.disk.create(`${engine.files.path(7)}.new`)
    engine.files.create(3, epoch, 1, world.calls)
    engine.state.trim.store(0)
    await takeOverFiles(partsOf(engine))
    expect(world.disk.has(`${engine.files.path(7)}.new`)).toBe(false)
    expect(engine.files.list()).toContain(0)
    engine.state.trim.store(engine.files.base(1))
    engine.state.durable.store(engine.state.published.load())
    await takeOverFiles(partsOf(engine))
    const reaper = engine.nextReaper()
    for (let turn = 0; turn < 3; turn++) reaper.tend()
    expect(engine.files.list()).not.toContain(0)
    const order = world.disk.calls.filter(
      ({ call, file }) => (call === 'remove' && file.endsWith('.seg')) || file.endsWith('control'),
    )
    expect(order.slice(-3).map(({ call }) => call)).toEqual(['write', 'sync', 'remove'])
  })
})

describe('orders to the writer, when the reaper dies', () => {
  /** Five segments of 'a', of which retention keeps nothing, and a reaper that is about to give an order for them. */
  async function overdue() {
    const world = simulatedWorld()
    let now = Date.now()
    const retention = { maxAgeMs: 60_000 }
    const engine = new Engine(world, { ringBytes: 1 << 20, reaper: { retention, now: () => now } })
    const model = new Model()
    model.declare('a')
    engine.offer([{ declare: 'a', topic: 0 }])
    while (engine.tail.segment < 4) {
      const value = payloadOf(0, model.order.length, 40_000)
      model.add(0, value)
      engine.append(0, value)
      await engine.settle(2)
    }
    await engine.flush()
    await engine.settle(4)
    now += 70_000
    const settle = async (reaper: Reaper) => {
      for (let turn = 0; turn < 40; turn++) {
        now += 100
        engine.letTimePass()
        engine.writer.doWork()
        reaper.tend()
        await new Promise(setImmediate)
      }
    }
    const kept = () => engine.files.list().filter((segment) => segment <= engine.tail.segment)
    return { engine, world, model, settle, kept }
  }

  function expectWholeFrom(engine: Engine, model: Model): number {
    const first = engine.cells.first(0).load()
    const { length } = model.topics[0].values
    expectRecords(readAll(engine.reader, 0, first, length, 'dense'), model.topics[0], first, length)
    return first
  }

  /** Takes over, as the threads do it: first the writer meets the next reaper, whose orders come another way. */
  async function takeOver(engine: Engine): Promise<Reaper> {
    engine.writer.meetReaper()
    engine.orders.length = 0
    takeOverMappings(mappingsOf(engine))
    await takeOverFiles(partsOf(engine))
    return engine.nextReaper()
  }

  it('one that was announced and not taken yet is carried out once, and the next reaper goes on from there', async () => {
    const { engine, model, settle, kept } = await overdue()
    while (engine.state.ordersGiven.load() === 0) engine.reaper.tend()
    expect(engine.orders.length).toBe(1)
    const reaper = await takeOver(engine)
    // Nothing is ordered while the other is under way, or two would have one number.
    reaper.tend()
    expect(engine.state.ordersGiven.load()).toBe(1)
    await settle(reaper)
    expect(engine.state.ordersDone.load()).toBe(engine.state.ordersGiven.load())
    expect(kept()).toEqual([4])
    expect(expectWholeFrom(engine, model)).toBeGreaterThan(0)
  })

  it('one that was sent and not announced was never given', async () => {
    const { engine, model, settle, kept } = await overdue()
    while (engine.state.ordersGiven.load() === 0) engine.reaper.tend()
    engine.state.ordersGiven.store(0)
    const reaper = await takeOver(engine)
    engine.writer.doWork()
    expect(engine.state.ordersDone.load()).toBe(0)
    expect(expectWholeFrom(engine, model)).toBe(0)
    await settle(reaper)
    expect(kept()).toEqual([4])
    expect(engine.state.ordersDone.load()).toBe(engine.state.ordersGiven.load())
    expect(expectWholeFrom(engine, model)).toBeGreaterThan(0)
  })

  it('one that was carried out and not followed is decided anew, at any step of the deletion', async () => {
    for (let steps = 1; steps < 12; steps++) {
      const { engine, model, settle, kept, world } = await overdue()
      for (let step = 0; step < steps; step++) {
        engine.reaper.tend()
        engine.writer.doWork()
        await new Promise(setImmediate)
      }
      const reaper = await takeOver(engine)
      await settle(reaper)
      expect(kept()).toEqual([4])
      const first = expectWholeFrom(engine, model)
      const again = new Engine(simulatedWorld(world.disk.copy()))
      expect(again.recovered.topics.map((topic) => topic.first)).toEqual([first])
    }
  })
})
