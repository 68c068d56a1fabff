import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameKind } from '../../../src/format/frame-layout.js'
import { maxUnflushedBytes } from '../../../src/limits.js'
import { errno, failedCall } from '../../../src/memory/errno.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { breakWrites } from '../../support/broken-writes.js'
import { Engine } from '../../support/engine.js'
import { groupOf, payloadOf, type TestFrame } from '../../support/frames.js'
import { expectRecords, Model, readAll } from '../../support/model.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { simulatedWorld } from '../../support/worlds.js'

const ENOSPC = 28

/** An engine with one declared topic, and the model of what was accepted. */
function start(ringBytes = 1 << 18): { engine: Engine; model: Model; world: ReturnType<typeof simulatedWorld> } {
  const world = simulatedWorld()
  const engine = new Engine(world, { ringBytes })
  const model = new Model()
  model.declare('a')
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  return { engine, model, world }
}

function next(model: Model, bytes: number, continues = false): Uint8Array {
  const value = payloadOf(0, model.topics[0].values.length, bytes)
  model.add(0, value, continues)
  return value
}

function expectLog(engine: Engine, model: Model): void {
  for (const topic of model.topics) {
    const { length } = topic.values
    expect(engine.cells.next(topic.id).load()).toBe(length)
    expectRecords(readAll(engine.reader, topic.id, 0, length, 'dense'), topic, 0, length)
  }
}

/** No file can be allocated any more, until the returned function is called. */
function fillDisk(world: ReturnType<typeof simulatedWorld>): () => void {
  world.disk.fault = ({ call }) => {
    if (call === 'allocate') throw failedCall('fallocate', ENOSPC)
  }
  return () => {
    world.disk.fault = () => {}
  }
}

/** Fills the active and all prepared segments, so that the next append stalls. */
function fillSegments({ engine, model }: { engine: Engine; model: Model }): void {
  for (let round = 0; round < 200 && !engine.writer.isStalled; round++) {
    const value = payloadOf(0, model.topics[0].values.length, 30_000)
    expect(engine.offer([{ topic: 0, value }])).toBeGreaterThanOrEqual(0)
    model.add(0, value)
    engine.writer.doWork()
  }
  expect(engine.writer.isStalled).toBe(true)
}

describe('writer', () => {
  it('stamps offsets into the ring, in order, and frees the space', () => {
    const { engine, model } = start()
    const places = [10, 20, 30].map((bytes) => engine.append(0, next(model, bytes)))
    expect(engine.writer.doWork()).toBeGreaterThan(0)
    expect(places.map((at) => engine.offsetAt(at))).toEqual([0, 1, 2])
    expect(engine.producer.usedBytes).toBe(0)
    expect(engine.writer.doWork()).toBe(0)
    expectLog(engine, model)
    expect(engine.state.publishedRecords.load()).toBe(3)
  })

  it('takes everything that a random producer hands over: frames, groups, bulk, padding and wraps', async () => {
    const step = fc.oneof(
      fc.record({ single: fc.nat(4_000) }),
      fc.record({ group: fc.array(fc.nat(900), { minLength: 1, maxLength: 4 }) }),
      fc.record({ bulk: fc.array(fc.nat(90_000), { minLength: 1, maxLength: 4 }) }),
      fc.record({ work: fc.constant(true) }),
      fc.record({ tend: fc.constant(true) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (script) => {
        const { engine, model } = start(1 << 14)
        const hand = async (give: () => number) => {
          for (let tries = 0; give() < 0; tries++) {
            expect(tries).toBeLessThan(20)
            await engine.settle(2)
          }
        }
        for (const what of script) {
          if ('single' in what) {
            const value = next(model, what.single)
            await hand(() => engine.append(0, value))
          } else if ('group' in what) {
            const values = what.group.map((bytes, index) => next(model, bytes, index < what.group.length - 1))
            await hand(() => engine.appendGroup(0, values))
          } else if ('bulk' in what) {
            const values = what.bulk.map((bytes, index) => next(model, bytes, index < what.bulk.length - 1))
            await hand(() => (engine.producer.hasRoom(24) ? engine.appendBulk(0, values) : -1))
          } else if ('work' in what) engine.writer.doWork()
          else await engine.settle(1)
        }
        await engine.settle(20)
        expect(engine.bulksUntaken).toBe(0)
        expect(engine.producer.usedBytes).toBe(0)
        expectLog(engine, model)
      }),
      { numRuns: 30 },
    )
  })

  it('puts the first offset of a bulk append into its placeholder', () => {
    const { engine, model } = start()
    engine.append(0, next(model, 10))
    const values = [50_000, 60_000, 70_000].map((bytes, index) => next(model, bytes, index < 2))
    const at = engine.appendBulk(0, values)
    const last = engine.append(0, next(model, 10))
    engine.writer.doWork()
    expect([engine.offsetAt(at), engine.offsetAt(last)]).toEqual([1, 4])
    expect(engine.kindAt(at)).toBe(frameKind.bulk)
    expectLog(engine, model)
  })

  it('wakes the reaper with the first bytes that are not flushed, so that they are after an interval', async () => {
    const { engine, model } = start()
    await engine.flush()
    expect(engine.state.durable.load()).toBe(engine.state.published.load())
    const bell = engine.state.reaper.token()
    engine.state.reaper.arm()
    engine.append(0, next(model, 10))
    engine.writer.doWork()
    expect(engine.state.reaper.token() - bell).toBe(1)
    // It knows now: once is enough.
    engine.append(0, next(model, 10))
    engine.writer.doWork()
    expect(engine.state.reaper.token() - bell).toBe(1)
  })

  it('skips what was cancelled', () => {
    const { engine, model } = start()
    const at = engine.offer([{ topic: 0, value: payloadOf(9, 9, 30) }])
    engine.producer.memory.words[(at >>> 2) + 3] = frameKind.cancelled << 16
    engine.append(0, next(model, 10))
    engine.writer.doWork()
    expectLog(engine, model)
  })

  it('publishes nothing of a group before its last frame, and never puts a group across two segments', async () => {
    const { engine, model } = start(1 << 20)
    const seen: number[] = []
    const published = engine.state.published
    const store = published.store.bind(published)
    published.store = (position) => {
      seen.push(position)
      store(position)
    }
    for (let round = 0; round < 12; round++) {
      const values = [60_000, 60_000, 60_000].map((bytes, index) => next(model, bytes, index < 2))
      expect(engine.appendGroup(0, values)).toBeGreaterThanOrEqual(0)
      seen.length = 0
      await engine.settle(3)
      // Once for the group, and once for a roll in front of it.
      expect(seen.length).toBeLessThanOrEqual(2)
    }
    expectLog(engine, model)
    for (let group = 0; group < 36; group += 3) {
      const segments = [0, 1, 2].map((index) => engine.catalog.locate(0, group + index)?.segment)
      expect(new Set(segments).size).toBe(1)
    }
  })

  it('waits for a segment without refusing anything, and goes on in order once there is one', async () => {
    const sample = start()
    const { engine, model } = sample
    fillSegments(sample)
    const at = engine.append(0, next(model, 100))
    expect(engine.writer.doWork()).toBe(0)
    expect(engine.kindAt(at)).toBe(frameKind.data)
    expect(engine.state.writerState.load()).toBe(writerState.running)
    await engine.settle()
    expect(engine.writer.isStalled).toBe(false)
    expectLog(engine, model)
  })

  it('does not roll further ahead of the flushed and indexed segments than it may', async () => {
    const sample = start()
    const { engine, model } = sample
    engine.files.create(1, 1, 1, engine.world.calls)
    engine.state.prepared.store(1)
    const { indexed } = engine.state
    const load = indexed.load.bind(indexed)
    indexed.load = () => load() - maxUnflushedBytes
    for (let round = 0; round < 40; round++) {
      engine.offer([{ topic: 0, value: next(model, 30_000) }])
      engine.writer.doWork()
    }
    expect(engine.writer.isStalled).toBe(true)
    expect(engine.tail.segment).toBe(0)
    indexed.load = load
    await engine.settle()
    expect(engine.writer.isStalled).toBe(false)
    expectLog(engine, model)
  })

  it('refuses on a full disk what is awaited, keeps what was offered, and writes that in order when there is space', async () => {
    const sample = start()
    const { engine, model, world } = sample
    const makeSpace = fillDisk(world)
    fillSegments(sample)
    const offers = [11, 12].map((bytes) => engine.offer([{ topic: 0, value: next(model, bytes) }]))
    const refusedSingle = engine.append(0, payloadOf(5, 0, 40))
    const refusedGroup = engine.appendGroup(0, [payloadOf(5, 1, 40), payloadOf(5, 2, 40)])
    const refusedBulk = engine.appendBulk(0, [payloadOf(5, 3, 90_000)])
    const lastOffer = engine.offer([{ topic: 0, value: next(model, 13) }])
    const published = engine.state.published.load()
    for (let turn = 0; turn < 2; turn++) engine.reaper.tend()
    expect(engine.writer.doWork()).toBe(0)

    expect(engine.state.writerState.load()).toBe(writerState.noSpace)
    expect(engine.state.writerErrno.load()).toBe(ENOSPC)
    expect(engine.state.published.load()).toBe(published)
    expect([refusedSingle, refusedGroup, refusedBulk].map((at) => engine.kindAt(at))).toEqual(
      Array(3).fill(frameKind.cancelled),
    )
    expect([...offers, lastOffer].map((at) => engine.kindAt(at))).toEqual(Array(3).fill(frameKind.data))
    expect(engine.lane.cancelledTo.load()).toBe(engine.producer.tail)
    // The memory of a refused bulk append is given back.
    expect(engine.bulksUntaken).toBe(0)
    // Every frame of the group, not its first alone.
    const secondOfGroup = refusedGroup + 16 + 40
    expect(engine.kindAt(secondOfGroup)).toBe(frameKind.cancelled)

    makeSpace()
    await new Promise((resolve) => setTimeout(resolve, 60))
    await engine.settle()
    expect(engine.state.writerState.load()).toBe(writerState.running)
    expect(engine.producer.usedBytes).toBe(0)
    expectLog(engine, model)
    const at = engine.append(0, next(model, 10))
    engine.writer.doWork()
    expect(engine.offsetAt(at)).toBe(model.topics[0].values.length - 1)
    expectLog(engine, model)
  })

  it('takes what it has refused out of the ring, with the declarations of topics, and declares those with what comes later', async () => {
    const { engine, model, world } = start()
    engine.state.refuseErrno.store(ENOSPC)
    engine.offer([{ declare: 'b', topic: 1 }])
    engine.append(1, payloadOf(5, 0, 10))
    engine.appendGroup(0, [payloadOf(5, 1, 10), payloadOf(5, 2, 10)])
    engine.writer.doWork()
    expect(engine.producer.usedBytes).toBe(0)
    // Behind what still waits, refused or not, nothing can leave.
    engine.offer([{ topic: 0, value: next(model, 10) }])
    engine.offer([{ declare: 'c', topic: 2 }])
    engine.append(2, payloadOf(5, 3, 10))
    const used = engine.producer.usedBytes
    engine.writer.doWork()
    expect(engine.producer.usedBytes).toBe(used)

    engine.state.refuseErrno.store(0)
    for (const name of ['b', 'c']) model.declare(name)
    for (const topic of [1, 2]) {
      const value = payloadOf(topic, 0, 20)
      engine.append(topic, value)
      model.add(topic, value)
    }
    engine.writer.doWork()
    expect(engine.producer.usedBytes).toBe(0)
    expectLog(engine, model)
    const again = new Engine(simulatedWorld(world.disk.copy()))
    expect(again.recovered.topics.map(({ name, next }) => [name, next])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ])
  })

  it('waits out a file system that is full only when it is written to, and gives the offsets of the failed batch again', async () => {
    const { engine, model, world } = start()
    const isFull = { value: true }
    world.disk.fault = ({ call, file }) => {
      if (call === 'write' && file.endsWith('.seg') && isFull.value) throw failedCall('pwrite', ENOSPC)
    }
    engine.offer([{ topic: 0, value: next(model, 20) }])
    const refused = engine.append(0, payloadOf(5, 0, 10))
    engine.writer.doWork()
    engine.writer.doWork()
    expect(engine.kindAt(refused)).toBe(frameKind.cancelled)
    expect(engine.state.writerErrno.load()).toBe(ENOSPC)
    isFull.value = false
    await engine.settle()
    const at = engine.append(0, next(model, 30))
    engine.writer.doWork()
    expect(engine.offsetAt(at)).toBe(1)
    expectLog(engine, model)
  })

  it.each([
    ['EIO', errno.EIO],
    ['EBADF', errno.EBADF],
  ])('stops for good when a write fails with %s, with everything published still readable', (_, number) => {
    const { engine, model, world } = start()
    engine.append(0, next(model, 20))
    engine.writer.doWork()
    world.disk.fault = ({ call }) => {
      if (call === 'write') throw failedCall('pwrite', number)
    }
    engine.append(0, payloadOf(5, 0, 10))
    engine.writer.doWork()
    world.disk.fault = () => {}
    expect(engine.state.writerState.load()).toBe(writerState.failed)
    expect(engine.state.writerErrno.load()).toBe(number)
    expect(engine.writer.doWork()).toBe(0)
    expectLog(engine, model)
  })

  // More than one write gathers: it goes to the file in two.
  const longGroup = Array.from({ length: 11 }, (_, index) => payloadOf(0, index + 1, 60_000))

  /** The second write to a segment fails, and all after it until the disk is mended. */
  function failSecondWrite(world: ReturnType<typeof simulatedWorld>, number: number): () => void {
    let writes = 0
    world.disk.fault = ({ call, file }) => {
      if (call === 'write' && file.endsWith('.seg') && ++writes >= 2) throw failedCall('pwritev', number)
    }
    return () => {
      world.disk.fault = () => {}
    }
  }

  it('takes a group back whose second write finds the disk full, and writes it when there is space', () => {
    const { engine, model, world } = start(1 << 20)
    engine.append(0, next(model, 20))
    engine.writer.doWork()
    const mend = failSecondWrite(world, ENOSPC)
    engine.offer(groupOf(0, longGroup))
    engine.writer.doWork()
    expect(engine.state.writerState.load()).toBe(writerState.noSpace)
    expectLog(engine, model)
    mend()
    // Freeing space is why a trim does not wait in the ring: what it publishes ends in front of the group.
    engine.writer.trim(0, 1)
    expect(engine.cells.next(0).load()).toBe(1)
    const again = new Engine(simulatedWorld(world.disk.copy()))
    expect(again.recovered).toMatchObject({ topics: [{ first: 1, next: 1 }], damages: [] })
    engine.writer.doWork()
    expect(engine.state.writerState.load()).toBe(writerState.running)
    for (const value of longGroup) model.add(0, value)
    const { length } = model.topics[0].values
    expect(engine.cells.next(0).load()).toBe(length)
    expectRecords(readAll(engine.reader, 0, 1, length, 'dense'), model.topics[0], 1, length)
  })

  it('takes no trim behind a group that the device broke off, and the next owner finds none of the group', () => {
    const { engine, model, world } = start(1 << 20)
    engine.append(0, next(model, 20))
    engine.writer.doWork()
    const mend = failSecondWrite(world, errno.EIO)
    engine.appendGroup(0, longGroup)
    engine.writer.doWork()
    mend()
    expect(engine.state.writerState.load()).toBe(writerState.failed)
    expect(() => engine.writer.trim(0, 1)).toThrow(expect.objectContaining({ errno: errno.EIO }))
    expectLog(engine, model)
    const again = new Engine(simulatedWorld(world.disk.copy()))
    expect(again.recovered).toMatchObject({ topics: [{ first: 0, next: 1 }], damages: [] })
  })

  it('ends appending when the device fails under a trim', () => {
    const { engine, model, world } = start()
    engine.append(0, next(model, 20))
    engine.writer.doWork()
    world.disk.fault = ({ call }) => {
      if (call === 'write') throw failedCall('pwrite', errno.EIO)
    }
    expect(() => engine.writer.trim(0, 1)).toThrow(expect.objectContaining({ errno: errno.EIO }))
    expect(engine.state.writerState.load()).toBe(writerState.failed)
    expect(engine.cells.first(0).load()).toBe(0)
    expectLog(engine, model)
  })

  it.each(seedsFrom(1, 20))(
    'leaves no remains behind what it writes after a write that failed half way: any crash finds a prefix, without damage (SEED=%i)',
    (seed) => {
      expect(breakWrites(new Seeded(seed))).toBeGreaterThan(10)
    },
  )

  it('keeps the declarations of topics when a segment is about to be deleted', async () => {
    const { engine, model } = start()
    for (const [id, name] of ['b', 'c'].entries()) {
      model.declare(name)
      engine.offer([{ declare: name, topic: id + 1 }] satisfies TestFrame[])
    }
    engine.append(0, next(model, 20))
    engine.writer.doWork()
    engine.state.prepared.store(0)
    await engine.settle(4)
    engine.tail.roll()
    engine.state.activeSegment.store(1)
    engine.orders.push({ kind: 'forget', below: 1, firsts: [] })
    engine.state.ordersGiven.store(1)
    engine.writer.doWork()
    expect(engine.state.ordersDone.load()).toBe(1)
    expect(engine.state.published.load()).toBe(engine.tail.position)
    expect(engine.tail.redeclareBelow(1)).toBe(true)
    expect(engine.tail.position).toBe(engine.state.published.load())
  })
})
