import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BookendError } from '../../src/errors.js'
import { collectTopic } from '../../src/storage/append/topic-mover.js'
import { readSegmentFacts } from '../../src/storage/life/segment-facts.js'
import { payloadOf } from '../support/frames.js'
import { caught, Model, recordsOf } from '../support/model.js'
import { readWhatIsLeft } from '../support/repair.js'
import type { SimulatedDisk } from '../support/simulated-disk.js'
import { bootA, bootB, StorageLog, testSegmentBytes } from '../support/storage-log.js'
import { simulatedWorld } from '../support/worlds.js'

const blockBytes = 4096

/** Two topics, several batches a block and several blocks a batch, two indexed segments and a tail. */
class Sample {
  readonly world = simulatedWorld()
  readonly log = new StorageLog(this.world)
  readonly model = new Model()
  /** Of each record, where its batch stands. */
  readonly places: { topic: number; offset: number; segment: number; from: number; to: number }[] = []

  static async make(isFlushed = true): Promise<Sample> {
    const sample = new Sample()
    for (const [topic, name] of ['orders', 'clicks'].entries()) {
      sample.model.declare(name)
      sample.log.append([{ declare: name, topic }])
    }
    for (const count of [60, 60, 40]) {
      for (let number = 0; number < count; number++) sample.add(number % 5 === 0 ? 1 : 0, (number % 7) ** 4 * 6)
      if (count === 60) sample.log.roll()
    }
    await sample.log.index()
    sample.add(0, 300)
    if (isFlushed) sample.log.flush()
    return sample
  }

  get disk(): SimulatedDisk {
    return this.world.disk
  }

  add(topic: number, bytes: number): void {
    const { tail } = this.log
    const { values } = this.model.topics[topic]
    const value = payloadOf(topic, values.length, bytes)
    const from = tail.relative
    this.log.append([{ topic, value }])
    this.places.push({ topic, offset: values.length, segment: tail.segment, from, to: tail.relative })
    this.model.add(topic, value)
  }

  /** Offsets of a topic that stand in none of the blocks of `[from, to)` of a segment. */
  besides(topic: number, segment: number, from: number, to: number): number[] {
    const start = from - (from % blockBytes)
    const end = Math.ceil(to / blockBytes) * blockBytes
    const isHit = (place: (typeof this.places)[0]) => place.segment === segment && place.from < end && start < place.to
    return this.places.filter((place) => place.topic === topic && !isHit(place)).map(({ offset }) => offset)
  }
}

/** Offsets that single reads and lookups deliver, which agree; fails on anything wrong. */
function readOneByOne(log: StorageLog, topic: number, values: readonly Uint8Array[]): number[] {
  const single = values.flatMap((value, offset) => {
    try {
      const bytes = log.reader.readOne(topic, offset)
      // No segment knows it any more: for the caller it is lost as well.
      if (bytes === undefined) return []
      expect(Buffer.compare(recordsOf(bytes, topic, offset, offset + 1)[0].value, value)).toBe(0)
      return [offset]
    } catch (error) {
      if (!(error instanceof BookendError)) throw error
      expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset })
      return []
    }
  })
  const { bytes, starts } = log.lookup.find(topic, [...values.keys()])
  starts.forEach((start, offset) => {
    if (start < 0) return
    const [found] = recordsOf(bytes.subarray(start), topic, offset, offset + 1)
    expect(Buffer.compare(found.value, values[offset])).toBe(0)
    expect(single).toContain(offset)
  })
  return single
}

/** All that does not stand in the broken blocks is delivered, in every way; what does is reported. */
function expectTheRest(log: StorageLog, sample: Sample, segment: number, from: number, to: number): void {
  for (const { id, values } of sample.model.topics) {
    const left = sample.besides(id, segment, from, to)
    expect(readOneByOne(log, id, values)).toEqual(left)
    expect([...readWhatIsLeft(log.reader, id, values, 0, values.length)]).toEqual(left)
  }
}

const sample = await Sample.make()
const place = fc.oneof(
  fc.record({ segment: fc.nat(1), at: fc.nat(testSegmentBytes - 1) }),
  fc.record({ segment: fc.nat(2), at: fc.nat(sample.log.tail.relative - 1) }),
  fc.record({ segment: fc.nat(2), at: fc.constant(0) }),
  fc.record({ segment: fc.nat(1), at: fc.constant(testSegmentBytes - 1) }),
)

describe('blocks that the device does not give', () => {
  it('hide no other messages from an open log, and cost it no descriptor', async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 20_000 }), async ({ segment, at }, length) => {
        const disk = sample.disk.copy()
        const log = new StorageLog(simulatedWorld(disk), { bootId: bootA, mayRepair: false })
        const open = disk.openFiles
        const end = Math.min(at + length, testSegmentBytes)
        disk.breakBlocks(log.path(segment), at, end)
        expectTheRest(log, sample, segment, at, end)
        expect(disk.openFiles).toBe(open)
      }),
      { numRuns: 60 },
    )
  })

  it('let the log be opened, which knows how far all topics go, and goes on', async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.constantFrom(bootA, bootB), async ({ segment, at }, bootId) => {
        const disk = sample.disk.copy()
        disk.breakBlocks(sample.log.path(segment), at, at + 1)
        const log = new StorageLog(simulatedWorld(disk), { bootId })
        // The control file, which stays open.
        expect(disk.openFiles).toBe(1)
        expect(log.recovered.topics.map(({ name }) => name)).toEqual(['orders', 'clicks'])
        const lost = sample.places.filter(
          (each) => !sample.besides(each.topic, segment, at, at + 1).includes(each.offset),
        )
        // Behind the last messages of a topic nothing tells that there were more.
        for (const { id, next } of log.recovered.topics) {
          const { length } = sample.model.topics[id].values
          if (lost.every(({ topic, offset }) => topic !== id || offset < length - 1)) expect(next).toBe(length)
        }
        const value = payloadOf(0, 0, 77)
        const next = log.tail.next(0)
        log.append([{ topic: 0, value }])
        const found = recordsOf(log.reader.read({ topic: 0, offset: next, to: next + 1 }).bytes, 0, next, next + 1)
        expect(found.map((record) => record.value)).toEqual([value])
        if (next === sample.model.topics[0].values.length) expectTheRest(log, sample, segment, at, at + 1)
      }),
      { numRuns: 60 },
    )
  })

  it('are never cut as a torn tail, whatever lies behind them: another time they may be given', async () => {
    const unflushed = await Sample.make(false)
    const { segment, from } = unflushed.places.at(-20) as (typeof unflushed.places)[0]
    const disk = unflushed.disk.copy()
    const before = disk.bytes(unflushed.log.path(segment)).slice()
    disk.breakBlocks(unflushed.log.path(segment), from, from + 1)
    const log = new StorageLog(simulatedWorld(disk), { bootId: bootB })
    expect(log.recovered).toMatchObject({ tornBytes: 0, published: unflushed.log.published })
    expect(disk.bytes(log.path(segment))).toEqual(before)
    expectTheRest(log, unflushed, segment, from, from + 1)
  })

  it('at the very end of the log are damage that appending goes on behind', async () => {
    const unflushed = await Sample.make(false)
    const { segment, from, to } = unflushed.places.at(-1) as (typeof unflushed.places)[0]
    const disk = unflushed.disk.copy()
    const before = disk.bytes(unflushed.log.path(segment)).slice()
    disk.breakBlocks(unflushed.log.path(segment), to - 1, to)
    const log = new StorageLog(simulatedWorld(disk), { bootId: bootB })
    expect(log.recovered.damages.length).toBe(1)
    expect(log.published % testSegmentBytes).toBe(Math.ceil(to / blockBytes) * blockBytes)
    expect(disk.bytes(log.path(segment)).subarray(0, to)).toEqual(before.subarray(0, to))
    expect(from).toBeLessThan(to)
  })

  it('say so in the error of what stood in them', () => {
    const disk = sample.disk.copy()
    const log = new StorageLog(simulatedWorld(disk), { bootId: bootA, mayRepair: false })
    const { topic, offset, segment, from } = sample.places[20]
    disk.breakBlocks(log.path(segment), from, from + 1)
    expect(caught(() => log.reader.readOne(topic, offset)).message).toMatch(/the device does not give 4096 bytes.*EIO/)
  })

  it('are noticed in batches that were found right through the same mapping before', () => {
    const disk = sample.disk.copy()
    const log = new StorageLog(simulatedWorld(disk), { bootId: bootA, mayRepair: false })
    for (const { id, values } of sample.model.topics) {
      expect(readOneByOne(log, id, values)).toHaveLength(values.length)
      expect(readWhatIsLeft(log.reader, id, values, 0, values.length).size).toBe(values.length)
    }
    const { segment, to } = sample.places.find((each) => each.to - each.from > 6_000) as (typeof sample.places)[0]
    disk.breakBlocks(log.path(segment), to - 1_000, to - 999)
    expectTheRest(log, sample, segment, to - 1_000, to - 999)
  })

  it('take nothing from what retention knows of a segment but what stood in them', async () => {
    const disk = sample.disk.copy()
    const { plainMemory } = simulatedWorld(disk)
    const { files } = new StorageLog(simulatedWorld(disk), { bootId: bootA, mayRepair: false })
    const facts = () => readSegmentFacts(disk, files, plainMemory, 1)
    const whole = facts()
    const open = disk.openFiles
    disk.breakBlocks(files.path(1), testSegmentBytes - 1, testSegmentBytes)
    const rows = (of: typeof whole) =>
      of?.rows.map(({ topic, firstOffset, count }) => `${topic}: ${firstOffset}, ${count}`).sort()
    expect(rows(facts())).toEqual(rows(whole))
    disk.breakBlocks(files.path(1), 40_000, 40_001)
    expect(
      facts()
        ?.rows.map(({ topic }) => topic)
        .sort(),
    ).toEqual([0, 1])
    expect(collectTopic(files, 0, 0, sample.model.topics[0].values.length, [0, 1])).toBeUndefined()
    disk.breakBlocks(files.path(1), 0, 1)
    expect(facts()).toBeUndefined()
    expect(disk.openFiles).toBe(open)
  })
})
