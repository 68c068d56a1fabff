/** Retention and deletion, with the writer and the reaper at work on the simulated disk, and a clock of the test's own. */
import { describe, expect, it } from 'vitest'
import type { Retention } from '../../../src/engine/terms.js'
import { deletePauseMs } from '../../../src/limits.js'
import { keptReasons } from '../../../src/ring/shared-state.js'
import type { ReaperParts } from '../../../src/threads/reaper/reaper.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { expectRecords, Model, readAll } from '../../support/model.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const valueBytes = 60_000

function start(names: readonly string[], reaper: Partial<ReaperParts> = {}, world = simulatedWorld()) {
  let now = Date.now()
  const engine = new Engine(world, { ringBytes: 1 << 20, reaper: { now: () => now, ...reaper } })
  const model = new Model()
  for (const [topic, name] of names.entries()) {
    model.declare(name)
    engine.offer([{ declare: name, topic }])
  }
  engine.writer.doWork()
  const add = (topic: number, bytes = valueBytes) => {
    const value = payloadOf(topic, model.topics[topic].values.length, bytes)
    model.add(topic, value)
    expect(engine.append(topic, value)).toBeGreaterThanOrEqual(0)
    engine.writer.doWork()
  }
  /** Lets time pass and everything happen that is due. */
  const pass = async (ms: number, rounds = 30) => {
    for (let round = 0; round < rounds; round++) {
      now += ms / rounds
      await engine.settle(1)
    }
  }
  /** Appends to a topic until the log is in `segment`, everything sealed before it flushed and indexed. */
  const fillTo = async (segment: number, topic = 0) => {
    while (engine.tail.segment < segment) {
      add(topic)
      await engine.settle(2)
    }
    await engine.flush()
    await engine.settle(4)
  }
  /** Segments on disk, the prepared ones not counted. */
  const kept = () => engine.files.list().filter((segment) => segment <= engine.tail.segment)
  const expectWhole = () => {
    for (const topic of model.topics) {
      const first = engine.cells.first(topic.id).load()
      expectRecords(
        readAll(engine.reader, topic.id, first, topic.values.length, 'dense'),
        topic,
        first,
        topic.values.length,
      )
    }
    return model.topics.map(({ id }) => engine.cells.first(id).load())
  }
  /** What another owner finds after a kill -9 at this moment. */
  const firstsAfterCrash = () =>
    new Engine(simulatedWorld(world.disk.copy())).recovered.topics.map(({ first }) => first)
  const trim = (topic: number, before: number) => {
    engine.offer([{ declare: names[topic], topic, first: before }])
    engine.writer.doWork()
  }
  return { world, engine, model, add, pass, fillTo, kept, expectWhole, firstsAfterCrash, trim }
}

const retained = (retention: Retention, more: Partial<ReaperParts> = {}) => start(['a'], { retention, ...more })

describe('by age', () => {
  it('segments go once their newest message is old enough, the active one never, and what is left is whole', async () => {
    const { pass, fillTo, kept, expectWhole, firstsAfterCrash, engine } = retained({ maxAgeMs: 60_000 })
    await fillTo(3)
    await pass(50_000)
    expect(kept()).toEqual([0, 1, 2, 3])
    expect(expectWhole()).toEqual([0])
    await pass(20_000)
    expect(kept()).toEqual([3])
    const [first] = expectWhole()
    expect(first).toBe(engine.catalog.stretches(0, 0, 1e9)[0].first)
    expect(firstsAfterCrash()).toEqual([first])
    await pass(1e9)
    expect(kept()).toEqual([3])
  })

  it('counts anew where the clock was put back: messages stay longer, but not until it has come as far again', async () => {
    const { pass, fillTo, kept } = retained({ maxAgeMs: 60_000 })
    await fillTo(2)
    await pass(-1e9)
    await pass(59_000)
    expect(kept()).toEqual([0, 1, 2])
    await pass(2_000)
    expect(kept()).toEqual([2])
  })

  describe('after a clock that was ten years ahead', () => {
    const years = 10 * 365 * 86_400_000

    /** Messages of then, in segments 2 to 4, and the clock right again. */
    async function wasAhead() {
      const log = retained({ maxAgeMs: 60_000 })
      await log.fillTo(2)
      await log.pass(years)
      expect(log.kept()).toEqual([2])
      await log.fillTo(5)
      await log.pass(-years)
      return log
    }

    it('segments go as they came, what is appended meanwhile included, and times never go back', async () => {
      const { pass, fillTo, kept, expectWhole } = await wasAhead()
      expect(kept()).toEqual([2, 3, 4, 5])
      await pass(30_000)
      await fillTo(8)
      await pass(40_000)
      // The others were filled half a minute later.
      expect(kept()).toEqual([5, 6, 7, 8])
      await pass(30_000)
      expect(kept()).toEqual([8])
      // Looks at the times of all messages as well.
      expectWhole()
    })

    it('they go where nothing is appended any more', async () => {
      const { pass, kept } = await wasAhead()
      await pass(50_000)
      expect(kept()).toEqual([2, 3, 4, 5])
      await pass(20_000)
      expect(kept()).toEqual([5])
    })

    it('they go with the next owner, whose messages carry that time as well', async () => {
      const before = await wasAhead()
      const time = before.engine.tail.time
      const { pass, fillTo, kept, engine } = start(
        ['a'],
        { retention: { maxAgeMs: 60_000 } },
        simulatedWorld(before.world.disk.copy()),
      )
      expect(engine.tail.time).toBe(time)
      await pass(30_000)
      expect(kept()).toEqual([2, 3, 4, 5])
      await fillTo(9)
      await pass(40_000)
      expect(kept()).toEqual([5, 6, 7, 8, 9])
      await pass(30_000)
      expect(kept()).toEqual([9])
    })
  })
})

describe('by size', () => {
  it('keeps at least that much of the topic, and not a segment more than it takes', async () => {
    for (const maxBytes of [0, 100_000, testSegmentBytes, 3 * testSegmentBytes]) {
      const { pass, fillTo, kept, expectWhole, model, engine } = retained({ maxBytes })
      await fillTo(6)
      await pass(1_000)
      const [first] = expectWhole()
      const bytesFrom = (offset: number) =>
        model.topics[0].values.length * (valueBytes + 16) - offset * (valueBytes + 16)
      expect(bytesFrom(first)).toBeGreaterThanOrEqual(maxBytes)
      // Without its oldest segment it would have too little in sealed ones; what is in the active one comes on top.
      const active = engine.catalog.stretches(0, 0, 1e9).at(-1)?.first ?? 0
      const second = engine.catalog.stretches(0, 0, 1e9)[1]?.first
      if (kept().length > 1 && second !== undefined)
        expect(bytesFrom(second) - bytesFrom(active)).toBeLessThan(maxBytes)
      // However small the limit: the active segment stays, and appends go on.
      expect(kept().at(-1)).toBe(6)
      await fillTo(7)
      expectWhole()
    }
  })

  it('applied again and again while messages come in, every one that is left is intact', async () => {
    const { pass, add, expectWhole, engine, kept } = retained({ maxBytes: 2 * testSegmentBytes })
    let lastFirst = 0
    for (let step = 0; step < 200; step++) {
      add(0)
      if (step % 4 === 0) await pass(200, 6)
      if (step % 20 !== 0) continue
      const [first] = expectWhole()
      expect(first).toBeGreaterThanOrEqual(lastFirst)
      lastFirst = first
    }
    expect(engine.state.deletedCount.load()).toBeGreaterThan(5)
    expect(kept().length).toBeLessThanOrEqual(6)
  })
})

describe('by consumption', () => {
  it('waits for the slowest group, and forever where there is none', async () => {
    let consumedTo: number | undefined
    const { pass, fillTo, kept, expectWhole, engine } = retained({ consumed: true }, { consumedTo: () => consumedTo })
    await fillTo(3)
    await pass(10_000)
    expect(kept()).toEqual([0, 1, 2, 3])
    const starts = engine.catalog.stretches(0, 0, 1e9).map(({ first }) => first)
    consumedTo = starts[2] - 1
    await pass(10_000)
    expect(kept()).toEqual([1, 2, 3])
    consumedTo += 1
    await pass(10_000)
    expect(kept()).toEqual([2, 3])
    expect(expectWhole()).toEqual([starts[2]])
  })

  it('has the committed offsets made durable before anything goes', async () => {
    const steps: string[] = []
    const { pass, fillTo, world, engine } = retained(
      { consumed: true },
      { consumedTo: () => 1e9, beforeConsumedTrim: () => steps.push('offsets') },
    )
    world.disk.fault = ({ call }) => {
      if (call === 'remove') steps.push('remove')
    }
    const give = engine.state.ordersGiven.store.bind(engine.state.ordersGiven)
    engine.state.ordersGiven.store = (number) => {
      steps.push('order')
      give(number)
    }
    await fillTo(2)
    await pass(1_000)
    expect(steps.slice(0, 3)).toEqual(['offsets', 'order', 'remove'])
  })
})

describe('combined', () => {
  it('each part suffices: age lets go what groups have not read, groups let go what is young', async () => {
    let consumedTo = 0
    const retention = { consumed: true, maxAgeMs: 60_000 }
    const { pass, fillTo, kept, engine } = retained(retention, { consumedTo: () => consumedTo })
    await fillTo(3)
    consumedTo = engine.catalog.stretches(0, 0, 1e9)[1].first
    await pass(10_000)
    expect(kept()).toEqual([1, 2, 3])
    await pass(60_000)
    expect(kept()).toEqual([3])
  })
})

describe('topics that share segments', () => {
  it('a segment stays as long as one of them needs it, and says who that is', async () => {
    const { pass, fillTo, kept, engine } = start(['a', 'b'], { retention: { maxBytes: 0 } })
    engine.reaper.retain('b', {})
    // Both are large, so nothing is moved.
    await fillTo(1, 0)
    await fillTo(3, 1)
    await pass(1_000)
    expect(kept()).toEqual([1, 2, 3])
    expect(keptReasons[engine.state.keptReason.load()]).toBe('needed')
    expect(engine.state.keptTopic.load()).toBe(1)
    const described = await engine.reaper.segments(100)
    expect(described.map(({ segment, because }) => [segment, because])).toEqual([
      [1, 'needed'],
      [2, 'needed'],
      [3, 'active'],
      [4, 'prepared'],
      [5, 'prepared'],
    ])
    expect(described[0]).toMatchObject({ neededBy: ['b'], neededByCount: 1 })
    engine.reaper.retain('b', { maxBytes: testSegmentBytes / 2 })
    await pass(1_000)
    expect(kept()).toEqual([2, 3])
  })

  it('a topic that is long dead does not keep them: its few messages are moved, and read as before', async () => {
    const { add, pass, fillTo, kept, expectWhole, engine, firstsAfterCrash } = start(['a', 'dead'], {
      retention: { maxBytes: 0 },
    })
    engine.reaper.retain('dead', {})
    for (let count = 0; count < 5; count++) add(1, 200)
    await fillTo(1)
    add(1, 300)
    await fillTo(4)
    await pass(1_000)
    expect(kept()).toEqual([4])
    expect(engine.state.movedBytes.load()).toBeGreaterThan(0)
    const records = engine.state.publishedRecords.load()
    expect(expectWhole()[1]).toBe(0)
    expect(firstsAfterCrash()[1]).toBe(0)
    // And again, as often as the log goes round.
    await fillTo(8)
    await pass(1_000)
    expect(kept()).toEqual([8])
    expect(expectWhole()[1]).toBe(0)
    // Moved messages are not counted as appended.
    expect(engine.state.publishedRecords.load() - records).toBeLessThan(80)
    add(1, 100)
    await fillTo(10)
    await pass(1_000)
    expect(expectWhole()[1]).toBe(0)
    expect(firstsAfterCrash()[1]).toBe(0)
  })

  it('a topic with much to keep is not moved: that would write more than it frees', async () => {
    const { add, pass, fillTo, kept, engine } = start(['a', 'large'], { retention: { maxBytes: 0 } })
    engine.reaper.retain('large', {})
    for (let count = 0; count < 2; count++) add(1, 60_000)
    await fillTo(4)
    await pass(1_000)
    expect(kept()).toEqual([0, 1, 2, 3, 4])
    expect(engine.state.movedBytes.load()).toBe(0)
  })
})

describe('a deletion', () => {
  it('takes a bounded number of segments a pass, one file a turn, and pauses', async () => {
    const { fillTo, kept, engine, trim, model, pass } = start(['a'])
    await fillTo(70)
    trim(0, model.topics[0].values.length)
    let most = 0
    for (let turn = 0; turn < 80; turn++) {
      const before = kept().length
      await engine.settle(1)
      most = Math.max(most, before - kept().length)
    }
    expect(most).toBe(1)
    // 64 a pass; the clock stands still, so the pause does not end.
    expect(kept().length).toBe(7)
    await pass(1_000)
    expect(kept()).toEqual([70])
  })

  it('waits for a pin, says so, and goes on when it is given back', async () => {
    const { fillTo, kept, engine, trim, model, pass } = start(['a'])
    await fillTo(3)
    engine.readWindows.acquire(1)
    trim(0, model.topics[0].values.length)
    await pass(1_000)
    expect(kept()).toEqual([1, 2, 3])
    expect(keptReasons[engine.state.keptReason.load()]).toBe('pinned')
    engine.readWindows.release(1)
    await pass(1_000)
    expect(kept()).toEqual([3])
  })

  it('does not take a file that is no segment any more by itself, only together with the one behind it', async () => {
    const { fillTo, kept, engine, trim, pass, world } = start(['a'])
    await fillTo(4)
    const starts = engine.catalog.stretches(0, 0, 1e9).map(({ first }) => first)
    for (const segment of [1, 2]) world.disk.bytes(engine.files.path(segment)).fill(0)
    trim(0, starts[1])
    await pass(1_000)
    expect(kept()).toEqual([1, 2, 3, 4])
    expect(keptReasons[engine.state.keptReason.load()]).toBe('damaged')
    expect((await engine.reaper.segments(1))[0].because).toBe('damaged')
    trim(0, starts[4])
    await pass(1_000)
    expect(kept()).toEqual([4])
  })

  it('stops for good when the device fails', async () => {
    const { fillTo, kept, engine, trim, model, pass, world } = start(['a'])
    await fillTo(3)
    engine.state.reaperErrno.store(5)
    trim(0, model.topics[0].values.length)
    await pass(1_000)
    expect(kept()).toEqual([0, 1, 2, 3])
    expect(world.disk.list(engine.files.directory).length).toBeGreaterThan(3)
  })
})

describe('disk watermarks', () => {
  it('above the second, the oldest go whatever anybody needs, one at a time, until the disk is better', async () => {
    let use = 0.5
    const { fillTo, kept, pass, expectWhole, engine, world } = start(['a'], {
      diskWatermarks: { deleteAnywayAt: 0.85 },
      diskUse: () => use,
    })
    await fillTo(6)
    await pass(5_000)
    expect(kept()).toHaveLength(7)
    use = 0.9
    world.disk.fault = ({ call, file }) => {
      if (call === 'remove' && file.endsWith('.seg')) use -= 0.03
    }
    await pass(10_000, 100)
    // 0.9, 0.87, 0.84: two were enough.
    expect(kept()).toEqual([2, 3, 4, 5, 6])
    expectWhole()
    // The disk stays full, of other people's files: all but the active one go, and no more.
    use = 100
    await pass(60_000, 300)
    expect(kept()).toEqual([6])
    expectWhole()
    expect(engine.state.writerState.load()).toBe(0)
  })

  it('above the third, appends are refused, what was offered waits, and both go on by themselves', async () => {
    let use = 0.95
    const { engine, pass, model } = start(['a'], { diskWatermarks: { refuseAppendsAt: 0.9 }, diskUse: () => use })
    await pass(5_000)
    const awaited = engine.append(0, new Uint8Array(10))
    await pass(2_000)
    expect(engine.state.writerState.load()).toBe(1)
    expect(engine.state.writerErrno.load()).toBe(28)
    // Cancelled in place: nothing of it is written, then or later.
    expect(engine.kindAt(awaited)).toBe(5)
    const value = payloadOf(0, 0, 100)
    model.add(0, value)
    engine.offer([{ topic: 0, value }])
    await pass(2_000)
    expect(engine.state.publishedRecords.load()).toBe(0)
    use = 0.8
    await pass(2_000)
    expect(engine.state.writerState.load()).toBe(0)
    expect(engine.state.publishedRecords.load()).toBe(1)
    expectRecords(readAll(engine.reader, 0, 0, 1, 'dense'), model.topics[0], 0, 1)
    use = 0.9
    await pass(2_000)
    expect(engine.state.refuseErrno.load()).toBe(28)
  })

  it('above the first, what may go goes without pauses', async () => {
    for (const deleteExpiredAt of [undefined, 0.5]) {
      const { fillTo, kept, engine } = start(['a'], {
        diskWatermarks: { deleteExpiredAt },
        diskUse: () => 0.6,
        retention: { maxBytes: 0 },
      })
      await fillTo(70)
      for (let turn = 0; turn < 40; turn++) await engine.settle(10)
      // The clock stands still: with pauses, one pass is all there is.
      expect(kept().length > 1).toBe(deleteExpiredAt === undefined)
    }
  })
})

describe('many topics', () => {
  const names = Array.from({ length: 60 }, (_, topic) => `t${topic}`)

  /**
   * Each has a message in segment 0. Only the first and the last need it, as the others let theirs go by size. Either could be moved, both
   * are too much.
   */
  async function started(more: Partial<ReaperParts> = {}) {
    const log = start(names, { retention: { maxBytes: 0 }, ...more })
    log.engine.reaper.retain('t0', {})
    log.engine.reaper.retain('t59', {})
    for (const topic of names.keys()) log.add(topic, topic === 0 || topic === 59 ? 40_000 : 10)
    await log.fillTo(1, 1)
    await log.engine.flush()
    await log.pass(2_000, 40)
    expect(log.kept()).toEqual([0, 1])
    return log
  }

  it('cost no question to a group where no retention is about groups', async () => {
    const asked: number[] = []
    const { engine } = await started({
      consumedTo: (topic) => {
        asked.push(topic)
        return undefined
      },
    })
    expect(asked).toEqual([])
    for (const name of ['t0', 't59']) engine.reaper.retain(name, { consumed: true })
    await engine.settle(4)
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.every((topic) => topic === 0 || topic === 59)).toBe(true)
  })

  it('are not all looked at again while nothing has changed that could let the oldest segment go', async () => {
    const asked: number[] = []
    const { engine } = await started({
      firstReadable: (topic) => {
        asked.push(topic)
        return 0
      },
    })
    asked.length = 0
    for (let round = 0; round < 50; round++) await engine.settle(1)
    expect(asked.length).toBeGreaterThanOrEqual(50)
    // The one that needs it each time; all of them once at the most.
    expect(asked.length).toBeLessThan(50 + 4 * names.length)
  })

  it('are moved soon after the last one that stood against it has let go', async () => {
    const { pass, kept, trim, model, expectWhole } = await started()
    trim(59, model.topics[59].values.length)
    await pass(2_000, 40)
    expect(kept()).toEqual([1])
    expect(expectWhole()[0]).toBe(0)
  })
})

it('goes on behind the pause of a deletion, though the clock goes on while files are removed', async () => {
  let now = Date.now()
  const { engine, fillTo, kept } = start(['a'], { now: () => ++now })
  await fillTo(4)
  engine.reaper.retain('a', { maxBytes: 0 })
  for (let round = 0; kept()[0] < 4; round++) {
    expect(round).toBeLessThan(100)
    engine.writer.doWork()
    engine.reaper.tend()
    await new Promise(setImmediate)
  }
  // The files are gone; behind them the directory is flushed, and the pause begins.
  expect(engine.reaper.tend()).toBeLessThanOrEqual(deletePauseMs)
})
