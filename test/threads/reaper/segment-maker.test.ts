import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocateAheadBytes, allocateQuietMs, allocateRetryMs, blockStepBytes } from '../../../src/limits.js'
import { failedCall } from '../../../src/memory/errno.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { expectRecords, Model, readAll } from '../../support/model.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { simulatedWorld } from '../../support/worlds.js'

const MiB = 1 << 20

/** Segments that hold several steps of blocks. A store into a mapping where there are none fails in this world. */
function start(segmentBytes = 64 * MiB) {
  const world = simulatedWorld()
  const engine = new Engine(world, { segmentBytes, ringBytes: 1 << 20 })
  const model = new Model()
  model.declare('a')
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  const offer = (bytes: number) => {
    const value = payloadOf(0, model.topics[0].values.length, bytes)
    expect(engine.offer([{ topic: 0, value }])).toBeGreaterThanOrEqual(0)
    model.add(0, value)
    engine.writer.doWork()
  }
  const tend = (turns = 4) => {
    for (let turn = 0; turn < turns; turn++) engine.reaper.tend()
  }
  const ahead = () => engine.state.allocated.load() - engine.state.published.load()
  /** Appends until half of what is ahead is used up, without a look of the reaper's. */
  const useHalf = () => {
    for (const enough = ahead() / 2; ahead() >= enough; ) offer(200_000)
  }
  const expectAll = () => {
    const { length } = model.topics[0].values
    expectRecords(readAll(engine.reader, 0, 0, length, 'dense'), model.topics[0], 0, length)
  }
  return { world, engine, model, offer, tend, ahead, useHalf, expectAll }
}

/** Blocks can be had for `[0, bytes)` of the log, until that is raised. */
function limit({ world, engine }: Pick<ReturnType<typeof start>, 'world' | 'engine'>): { bytes: number } {
  const space = { bytes: Number.POSITIVE_INFINITY }
  const { allocate } = world.calls
  world.calls.allocate = (descriptor, to, from = 0) => {
    const segment = engine.files.segmentOf(engine.state.allocated.load())
    if (engine.files.base(segment) + to > space.bytes) throw failedCall('posix_fallocate', 28)
    allocate.call(world.calls, descriptor, to, from)
  }
  return space
}

describe('blocks ahead of the writer', () => {
  it('are few for a writer in no hurry, end where no page is shared with a hole, and the files behind have none', () => {
    const { engine, tend, ahead, world } = start()
    tend()
    expect(ahead()).toBeGreaterThan(allocateAheadBytes - blockStepBytes)
    expect(ahead()).toBeLessThanOrEqual(allocateAheadBytes)
    expect(engine.state.allocated.load() % blockStepBytes).toBe(0)
    expect(engine.state.prepared.load()).toBe(2)
    for (const segment of [1, 2]) expect(world.disk.bytes(engine.files.path(segment)).length).toBe(64 * MiB)
    expect(world.disk.calls.filter(({ call, file }) => call === 'allocate' && !file.includes(`${0}.seg`))).toEqual([])
  })

  it('are doubled while they last for a short time, up to two segments, and halved when they last long', () => {
    const { engine, tend, ahead, useHalf, expectAll } = start()
    tend()
    const seen: number[] = []
    for (let round = 0; round < 4; round++) {
      useHalf()
      engine.letTimePass(allocateQuietMs / 2)
      tend()
      seen.push(ahead())
    }
    for (const [round, factor] of [2, 4].entries()) {
      expect(Math.abs(seen[round] - factor * allocateAheadBytes)).toBeLessThanOrEqual(blockStepBytes)
    }
    expect(Math.max(...seen)).toBeGreaterThan(4 * allocateAheadBytes + blockStepBytes)
    expect(Math.max(...seen)).toBeLessThanOrEqual(2 * engine.files.segmentBytes)
    engine.letTimePass(allocateQuietMs)
    useHalf()
    tend()
    // What was allocated stays; the next time it is less.
    engine.letTimePass(allocateQuietMs)
    useHalf()
    tend()
    expect(ahead()).toBeLessThanOrEqual(4 * allocateAheadBytes + blockStepBytes)
    expectAll()
  })

  it('a log that is opened again asks for them from its end on; without space it is opened as well', () => {
    const { world, offer, tend } = start()
    tend()
    offer(200_000)
    const again = new Engine(simulatedWorld(world.disk.copy()), { segmentBytes: 64 * MiB, ringBytes: 1 << 20 })
    expect(again.state.allocated.load()).toBe(blockStepBytes)
    again.reaper.tend()
    expect(again.state.allocated.load() - again.state.published.load()).toBeGreaterThan(allocateAheadBytes / 2)
    const full = simulatedWorld(world.disk.copy())
    full.disk.fault = ({ call }) => {
      if (call === 'allocate') throw failedCall('posix_fallocate', 28)
    }
    const stuck = new Engine(full, { segmentBytes: 64 * MiB, ringBytes: 1 << 20 })
    const refused = stuck.append(0, new Uint8Array(10))
    for (let turn = 0; turn < 2; turn++) {
      stuck.writer.doWork()
      stuck.reaper.tend()
    }
    stuck.writer.doWork()
    expect(stuck.kindAt(refused)).toBe(5)
    expect(stuck.state.writerErrno.load()).toBe(28)
  })

  it('a group that needs more waits for all it needs; a segment that is left has its blocks to the last', async () => {
    const { engine, model, tend, offer, expectAll, world } = start(32 * MiB)
    tend(1)
    const group = (count: number) => {
      const values = Array.from({ length: count }, (_, index) => {
        const value = payloadOf(0, model.topics[0].values.length, 60_000)
        model.add(0, value, index < count - 1)
        return value
      })
      engine.appendBulk(0, values)
      engine.writer.doWork()
    }
    offer(1_000)
    const before = engine.state.published.load()
    group(400)
    expect(engine.writer.isStalled).toBe(true)
    expect(engine.state.published.load()).toBe(before)
    expect(engine.state.blocksWanted.load()).toBeGreaterThan(before + 400 * 60_000)
    await engine.settle(4)
    expect(engine.state.published.load()).toBeGreaterThan(before + 400 * 60_000)
    expect(engine.state.blocksWanted.load()).toBe(0)
    // No room in what is left of the segment: the rest of it is not used, and has its blocks for the index.
    group(400)
    await engine.settle(6)
    expect(engine.tail.segment).toBe(1)
    expect(world.disk.inode(engine.files.path(0)).blocks).toBe(32 * MiB)
    await engine.flush()
    expectAll()
  })
})

describe('a disk that is full', () => {
  it('gives what it has, step by step; the lack is told once, while there is still something ahead', () => {
    const log = start()
    const { engine, tend, offer, ahead, expectAll } = log
    const space = limit(log)
    tend()
    space.bytes = engine.state.allocated.load() + 3 * blockStepBytes
    const errors = () => engine.events.filter(({ type }) => type === 'error').length
    while (engine.state.allocateErrno.load() === 0) {
      offer(200_000)
      tend(1)
      expect(engine.writer.isStalled).toBe(false)
    }
    expect(engine.state.allocated.load()).toBe(space.bytes)
    expect(ahead()).toBeGreaterThan(allocateAheadBytes / 2 - 2 * blockStepBytes)
    while (!engine.writer.isStalled) {
      offer(200_000)
      engine.letTimePass(allocateRetryMs)
      tend(1)
    }
    expect(engine.state.published.load()).toBeGreaterThan(space.bytes - 300_000)
    expect(engine.state.published.load()).toBeLessThanOrEqual(space.bytes)
    expect(errors()).toBe(1)
    // A trim has its reserve.
    engine.writer.trim(0, 0)
    space.bytes = Number.POSITIVE_INFINITY
    engine.letTimePass(allocateRetryMs)
    tend(1)
    engine.writer.doWork()
    expect(engine.state.allocateErrno.load()).toBe(0)
    expect(engine.writer.isStalled).toBe(false)
    expectAll()
  })

  it('refuses a group that is too large for it, and goes on taking what is not', () => {
    const log = start()
    const { engine, tend, offer, expectAll } = log
    const space = limit(log)
    tend()
    space.bytes = engine.state.allocated.load() + blockStepBytes
    const values = Array.from({ length: 500 }, (_, index) => payloadOf(5, index, 60_000))
    const at = engine.appendBulk(0, values)
    engine.writer.doWork()
    expect(engine.writer.isStalled).toBe(true)
    tend(1)
    engine.writer.doWork()
    expect(engine.kindAt(at)).toBe(5)
    expect(engine.state.writerState.load()).toBe(writerState.noSpace)
    engine.writer.doWork()
    expect(engine.state.blocksWanted.load()).toBe(0)
    engine.letTimePass(allocateRetryMs)
    tend(1)
    expect(engine.state.allocateErrno.load()).toBe(0)
    offer(200_000)
    expect(engine.state.writerState.load()).toBe(writerState.running)
    expectAll()
  })

  it('whenever and however often it is full: nothing is stored into a hole, and all that was taken is there', async () => {
    const step = fc.record({ bytes: fc.nat(400_000), turns: fc.nat(2), isFull: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (script) => {
        const log = start(4 * MiB)
        const { engine, model, world, tend, expectAll } = log
        for (const { bytes, turns, isFull } of script) {
          world.disk.fault = ({ call }) => {
            if (isFull && call === 'allocate') throw failedCall('posix_fallocate', 28)
          }
          const value = payloadOf(0, model.topics[0].values.length, bytes)
          if (engine.offer([{ topic: 0, value }]) >= 0) model.add(0, value)
          engine.writer.doWork()
          engine.letTimePass(allocateRetryMs)
          tend(turns)
        }
        world.disk.fault = () => {}
        await engine.settle(30)
        expect(engine.producer.usedBytes).toBe(0)
        expectAll()
        const crashed = new Engine(simulatedWorld(world.disk.copy()), { segmentBytes: 4 * MiB })
        expect(crashed.recovered.topics[0]?.next ?? 0).toBe(model.topics[0].values.length)
      }),
      { numRuns: 25 },
    )
  })
})

it('the simulated disk knows holes: a store into one fails', () => {
  const disk = new SimulatedDisk()
  const { memory } = simulatedWorld(disk)
  const file = disk.create('/f')
  file.resize(8192)
  disk.allocate(file.descriptor, 4096, 0)
  const window = memory.open('/f', 8192, 'write')
  window.place(0, 4096)
  window.commit(0, 4096)
  window.place(4000, 200)
  expect(() => window.commit(4000, 200)).toThrow('hole')
})
