import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { frameBytes } from '../../../src/format/frame-layout.js'
import { decodeFooter, entryBytes, footerBytes, groupFitsSegment } from '../../../src/format/segment-layout.js'
import { collectTopic } from '../../../src/storage/append/topic-mover.js'
import { RecordLookup } from '../../../src/storage/read/record-lookup.js'
import { groupOf, payloadOf, type TestFrame } from '../../support/frames.js'
import {
  caught,
  expectPrefix,
  expectReadable,
  expectRecords,
  type Found,
  Model,
  type ModelTopic,
  readAll,
  recordsOf,
} from '../../support/model.js'
import { bootA, bootB, StorageLog } from '../../support/storage-log.js'
import type { World } from '../../support/worlds.js'
import { memoryKinds, realWorld, simulatedWorld } from '../../support/worlds.js'

const worlds: World[] = []
function kept<W extends World>(world: W): W {
  worlds.push(world)
  return world
}
afterEach(() => {
  for (const world of worlds.splice(0)) world.dispose()
})

/** One step of a log's life. */
type Step =
  | { records: { topic: number; bytes: number }[] }
  | { group: { topic: number; bytes: number[] } }
  | { declare: true }
  | { roll: true }
  | { index: true }
  | { flush: true }
  | { trim: { topic: number; share: number } }
  | { deleteBelow: true }
  | { move: number }
  | { reopen: 'clean' | 'killed' }
  | { readHere: true }

const topics = 4
const sizes = fc.oneof(
  { weight: 8, arbitrary: fc.nat(300) },
  { weight: 2, arbitrary: fc.nat(9_000) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 150_000 }) },
)
const record = fc.record({ topic: fc.nat(topics - 1), bytes: sizes })
const burst = fc
  .record({ topic: fc.nat(topics - 1), bytes: fc.nat(400), count: fc.integer({ min: 200, max: 1_500 }) })
  .map(({ topic, bytes, count }) => ({ records: Array.from({ length: count }, () => ({ topic, bytes })) }))
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Step>[]>(
    { weight: 8, arbitrary: fc.array(record, { minLength: 1, maxLength: 30 }).map((records) => ({ records })) },
    { weight: 3, arbitrary: burst },
    {
      weight: 3,
      arbitrary: fc
        .record({ topic: fc.nat(topics - 1), bytes: fc.array(sizes, { minLength: 1, maxLength: 6 }) })
        .map((group) => ({ group })),
    },
    { weight: 2, arbitrary: fc.constant({ declare: true } as const) },
    { weight: 2, arbitrary: fc.constant({ roll: true } as const) },
    { weight: 2, arbitrary: fc.constant({ index: true } as const) },
    { weight: 1, arbitrary: fc.constant({ flush: true } as const) },
    {
      weight: 2,
      arbitrary: fc
        .record({ topic: fc.nat(topics - 1), share: fc.double({ min: 0, max: 1.2, noNaN: true }) })
        .map((trim) => ({ trim })),
    },
    { weight: 2, arbitrary: fc.constant({ deleteBelow: true } as const) },
    { weight: 2, arbitrary: fc.nat(topics - 1).map((move) => ({ move })) },
    { weight: 2, arbitrary: fc.constantFrom<Step>({ reopen: 'clean' }, { reopen: 'killed' }) },
    { weight: 2, arbitrary: fc.constant({ readHere: true } as const) },
  ),
  { minLength: 3, maxLength: 25 },
)

/** Plays the steps on a log and on plain arrays, and compares all there is to read. */
async function play(world: World, script: readonly Step[]): Promise<void> {
  const model = new Model()
  let clock = 1_000
  const options = { now: () => clock++ }
  let log = new StorageLog(world, options)
  const times: Times = new Map()
  /** Segments into which topics were moved: older copies do not count. */
  const movedTo = new Map<number, number>()
  const declared = (wanted: number): number => {
    if (model.topics.length === 0) log.append([{ declare: model.declare('t0').name, topic: 0 }])
    return wanted % model.topics.length
  }
  const add = (topic: number, bytes: number, continues = false): TestFrame => {
    const value = payloadOf(topic, model.topics[topic].values.length, bytes)
    model.add(topic, value, continues)
    return { topic, value }
  }
  for (const step of script) {
    if ('records' in step) {
      log.append(step.records.map(({ topic, bytes }) => add(declared(topic), bytes)))
    } else if ('group' in step) {
      const topic = declared(step.group.topic)
      const { bytes } = step.group
      const values = bytes.map((size, index) => add(topic, size, index < bytes.length - 1))
      log.append(
        groupOf(
          topic,
          values.map((frame) => ('value' in frame ? frame.value : new Uint8Array(0))),
        ),
        true,
      )
    } else if ('declare' in step) {
      if (model.topics.length < topics) {
        const { id, name } = model.declare(`t${model.topics.length}`)
        log.append([{ declare: name, topic: id }])
      }
    } else if ('roll' in step) {
      log.roll()
    } else if ('index' in step) {
      await log.index()
    } else if ('flush' in step) {
      log.flush()
    } else if ('trim' in step) {
      const topic = model.topics[declared(step.trim.topic)]
      const before = Math.floor(topic.values.length * step.trim.share)
      log.append([{ declare: topic.name, topic: topic.id, first: before }])
      topic.first = Math.max(topic.first, Math.min(before, topic.values.length))
    } else if ('deleteBelow' in step) {
      await log.index()
      const needed = model.topics.map(({ id, first, values }) =>
        first < values.length
          ? Math.max(log.catalog.locate(id, first)?.segment ?? 0, movedTo.get(id) ?? 0)
          : log.tail.segment,
      )
      const end = Math.min(log.tail.segment, ...needed)
      if (end > log.files.segmentOf(log.trim)) log.deleteBelow(end)
    } else if ('move' in step) {
      const { id, first, values } = model.topics[declared(step.move)]
      if (first === values.length) continue
      log.roll()
      await log.index()
      const { files, trim, tail } = log
      const segments = Array.from(
        { length: tail.segment - files.segmentOf(trim) },
        (_, index) => files.segmentOf(trim) + index,
      )
      const from = segments.filter((segment) => segment >= (movedTo.get(id) ?? 0))
      const moved = collectTopic(world.disk, files, id, first, values.length, from)
      if (moved === undefined) throw new Error(`the records of t${id} cannot be collected`)
      const outcome = tail.moveForward(moved)
      expect(['moved', 'full']).toContain(outcome)
      if (outcome === 'moved') movedTo.set(id, tail.segment)
      log.publish()
      readEverything(log, model, times)
    } else if ('reopen' in step) {
      const { published } = log
      log.close(step.reopen === 'clean')
      log = new StorageLog(world, options)
      expect(log.published).toBe(published)
      expect(log.recovered.tornBytes).toBe(0)
      expectPrefix(log.recovered, model, model.order.length)
      for (const { id, first } of log.recovered.topics) expect(first).toBe(model.topics[id].first)
    } else {
      readEverything(log, model, times)
    }
  }
  readEverything(log, model, times)
  log.close(true)
}

/** The time of each record, as first seen: it never changes. */
type Times = Map<string, number>

/** Every record, last first, and offsets that are none: what is found is right, and on a whole log all there is. */
function lookUpEverything(log: StorageLog, { id, first, values }: ModelTopic, all: readonly Found[]): void {
  const offsets = Array.from({ length: values.length - first }, (_, index) => values.length - 1 - index)
  const { bytes, starts } = log.lookup.find(id, [values.length, ...offsets, values.length + 1e6])
  expect([starts[0], starts.at(-1)]).toEqual([-1, -1])
  const found = starts.slice(1, -1).flatMap((start, index) => {
    return start < 0 ? [] : recordsOf(bytes.subarray(start), id, offsets[index], offsets[index] + 1)
  })
  expect(found.reverse().map(({ offset, timestamp }) => [offset, timestamp])).toEqual(
    all.map(({ offset, timestamp }) => [offset, timestamp]),
  )
  found.forEach(({ value }, index) => {
    if (Buffer.compare(value, all[index].value) !== 0)
      throw new Error(`another record in the place of ${first + index}`)
  })
}

function readEverything(log: StorageLog, model: Model, times: Times): void {
  for (const topic of model.topics) {
    const { id, first, values } = topic
    expect([log.tail.first(id), log.tail.next(id)]).toEqual([first, values.length])
    if (first === values.length) continue
    const all = readAll(log.reader, id, first, values.length, 'dense')
    expectRecords(all, topic, first, values.length)
    for (const { offset, timestamp } of all) {
      const key = `${id}/${offset}`
      expect(timestamp).toBe(times.get(key) ?? timestamp)
      times.set(key, timestamp)
    }
    const stretches = log.catalog.stretches(id, first, values.length)
    expect(stretches.map((stretch) => stretch.first)).toEqual([first, ...stretches.slice(0, -1).map(({ end }) => end)])
    expect(stretches.at(-1)?.end).toBe(values.length)
    expectRecords(readAll(log.reader, id, first, values.length, 'borrowed'), topic, first, values.length)
    const tail = Math.max(first, values.length - 50)
    expectRecords(readAll(log.reader, id, tail, values.length, 'sparse'), topic, tail, values.length)
    const stride = Math.max(1, Math.floor((values.length - first) / 40))
    for (let offset = first; offset < values.length; offset += stride) {
      const bytes = log.reader.readOne(id, offset)
      if (bytes === undefined) throw new Error(`${topic.name}/${offset} is not found`)
      expectRecords(recordsOf(bytes, id, offset, offset + 1), topic, offset, offset + 1)
    }
    expect(log.reader.readOne(id, values.length)).toBeUndefined()
    lookUpEverything(log, topic, all)
    const [middle] = readAll(
      log.reader,
      id,
      (first + values.length) >>> 1,
      ((first + values.length) >>> 1) + 1,
      'dense',
    )
    const at = log.reader.offsetAt(id, middle.timestamp, first, values.length)
    expect(at).toBe(all.find(({ timestamp }) => timestamp >= middle.timestamp)?.offset)
    expect(log.reader.offsetAt(id, Number.MAX_SAFE_INTEGER, first, values.length)).toBeUndefined()
  }
}

for (const { kind, missing } of memoryKinds()) {
  const runs = kind === 'file' ? 25 : 12
  describe.skipIf(missing !== undefined)(`a log reached by ${kind} ${missing ?? ''}`, () => {
    it('delivers every record it was given, in each way of reading, over rolls, indexing, trims, deletion and reopening', async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (script) => {
          const world = realWorld(kind)
          try {
            await play(world, script)
          } finally {
            world.dispose()
          }
        }),
        { numRuns: runs },
      )
    })
  })
}

describe('a log on the simulated disk', () => {
  it('passes the same test, mapped', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (script) => play(simulatedWorld(), script)),
      { numRuns: 25 },
    )
  })
})

it('finds the first message of a time behind those that were moved out of a segment written to at that time', async () => {
  await play(simulatedWorld(), [
    { records: [{ topic: 0, bytes: 10 }] },
    { trim: { topic: 0, share: 1 } },
    { records: [{ topic: 0, bytes: 10 }] },
    { records: [{ topic: 0, bytes: 10 }] },
    // Asks for the time of the last of them.
    { move: 0 },
  ])
})

describe('a full segment', () => {
  it.each([0, 1, 8, 9, 40])(
    'has room for the index of all its records, %i bytes each, and of all its topics',
    async (bytes) => {
      const log = new StorageLog(kept(simulatedWorld()))
      const names = Array.from({ length: 60 }, (_, id) => `${id}-`.padEnd(1 + ((id * 37) % 200), 'x'))
      log.append(names.map((name, topic) => ({ declare: name, topic })))
      for (let serial = 0; log.tail.segment < 2; serial++) {
        const run = Array.from({ length: 700 }, (_, index) => ({
          topic: (serial * 7 + (index >>> 4)) % names.length,
          value: new Uint8Array(bytes),
        }))
        log.append(run)
      }
      const counts = names.map((_, topic) => log.tail.next(topic))
      // Throws where the index would run into the data.
      await log.index()
      expect(log.indexed).toBe(2 << 20)
      for (const topic of [0, 31, 59]) {
        expect(readAll(log.reader, topic, 0, counts[topic], 'borrowed')).toHaveLength(counts[topic])
      }
    },
  )
})

describe('an atomic group', () => {
  it('is gone as a whole if the log ends at any batch inside it, and is never counted in its topic', () => {
    const world = kept(simulatedWorld())
    const log = new StorageLog(world)
    const model = new Model()
    model.declare('t0')
    log.append([{ declare: 't0', topic: 0 }])
    for (let offset = 0; offset < 3; offset++) model.add(0, payloadOf(0, offset, 100))
    log.append(model.topics[0].values.map((value) => ({ topic: 0, value })))
    const before = log.published
    const values = Array.from({ length: 5 }, (_, index) => payloadOf(0, 3 + index, 60_000))
    log.appendGroup(0, values)
    const whole = world.disk.copy()
    const ends = batchEnds(log, before)
    expect(ends.length).toBeGreaterThanOrEqual(4)
    // At the end of every batch but the last, and in the middle of each.
    for (const end of ends.slice(0, -1).flatMap((at) => [at - 8, at, at + 56])) {
      const cut = whole.copy()
      cut.bytes(log.path(0)).fill(0, end)
      const reopened = new StorageLog(simulatedWorld(cut), { bootId: bootB })
      expect(reopened.published).toBe(before)
      expectPrefix(reopened.recovered, model, 3)
      expect(reopened.tail.next(0)).toBe(3)
      expectReadable(reopened.reader, reopened.recovered, model)
      // The next append takes the offsets that the group would have had.
      reopened.append([{ topic: 0, value: payloadOf(0, 3, 10) }])
      const found = recordsOf(reopened.reader.read({ topic: 0, offset: 3, to: 4 }).bytes, 0, 3, 4)
      expect(found[0].value).toEqual(payloadOf(0, 3, 10))
      reopened.close(true)
      const again = new StorageLog(simulatedWorld(cut))
      expect(again.recovered.topics[0].next).toBe(4)
    }
  })

  it('that was not finished counts neither in its topic nor in what the index of the segment needs', () => {
    const world = kept(simulatedWorld())
    const log = new StorageLog(world)
    log.append([
      { declare: 't0', topic: 0 },
      { topic: 0, value: payloadOf(0, 0, 10) },
    ])
    log.appendHalfGroup(0, [payloadOf(0, 1, 50_000), payloadOf(0, 2, 50_000)])
    const { recovered } = new StorageLog(world, { bootId: bootA })
    expect(recovered.topics[0].next).toBe(1)
    expect(recovered.tail.records).toBe(1)
    expect(recovered.tornBytes).toBeGreaterThan(100_000)
  })

  it('that an empty segment is said to hold is always taken, to its last frame, and the segment can still be sealed and indexed', async () => {
    const sizes = fc.oneof(fc.nat(200), fc.nat(70_000), fc.constantFrom(0, 65_400, 32_700))
    await fc.assert(
      fc.asyncProperty(fc.array(sizes, { minLength: 1, maxLength: 8 }), async (pattern) => {
        // As many as are said to fit, in the given mix of sizes.
        const values: Uint8Array[] = []
        for (let bytes = 0; ; ) {
          const size = pattern[values.length % pattern.length]
          bytes += frameBytes(size)
          if (!groupFitsSegment(1 << 20, bytes, values.length + 1)) break
          values.push(new Uint8Array(size).fill(values.length))
        }
        const log = new StorageLog(simulatedWorld())
        log.append([{ declare: 'n'.repeat(200), topic: 0 }])
        log.roll()
        log.appendGroup(0, values)
        expect(log.tail.segment).toBe(1)
        log.roll()
        await log.index()
        expect(log.indexed).toBe(2 << 20)
        expect(readAll(log.reader, 0, 0, values.length, 'borrowed')).toHaveLength(values.length)
      }),
      { numRuns: 25, examples: [[[0]], [[65_400]], [[32_700, 40_000]]] },
    )
  })

  function batchEnds(log: StorageLog, from: number): number[] {
    const ends: number[] = []
    const bytes = log.world.plainMemory.open(log.path(0), 1 << 20, 'read').read(0, 1 << 20)
    const view = new DataView(bytes.buffer)
    for (let at = from; at < log.published; ) {
      at += view.getUint32(at + 8, true)
      ends.push(at)
    }
    return ends
  }
})

describe('reading next to damage', () => {
  /** Two topics in batches of their own, in turn; returns where each batch begins. */
  function interleaved(rounds: number): {
    log: StorageLog
    world: ReturnType<typeof simulatedWorld>
    starts: number[]
  } {
    const world = kept(simulatedWorld())
    const log = new StorageLog(world)
    log.append([{ declare: 'a', topic: 0 }])
    log.append([{ declare: 'b', topic: 1 }])
    const starts: number[] = []
    for (let round = 0; round < rounds; round++) {
      for (const topic of [0, 1]) {
        starts.push(log.published)
        log.append([{ topic, value: payloadOf(topic, round, 200) }])
      }
    }
    return { log, world, starts }
  }

  it('lookups find what is whole, and nothing of a damaged batch', () => {
    const { log, world, starts } = interleaved(5)
    world.disk.bytes(log.path(0))[starts[4] + 60] ^= 1
    const { bytes, starts: found } = log.lookup.find(0, [4, 2, 0, 7])
    expect(found.map((start) => start >= 0)).toEqual([true, false, true, false])
    expect(recordsOf(bytes.slice(found[0]), 0, 4, 5)[0].value).toEqual(payloadOf(0, 4, 200))
    expect(recordsOf(bytes.slice(found[2]), 0, 0, 1)[0].value).toEqual(payloadOf(0, 0, 200))
  })

  it('lookups do not believe an index that leads to another record', async () => {
    const { log, world } = interleaved(4)
    log.roll()
    log.flush()
    await log.index()
    expect(log.lookup.find(0, [0, 1, 2, 3]).starts.every((start) => start >= 0)).toBe(true)
    const disk = world.disk.bytes(log.path(0))
    const { entriesAt } = decodeFooter(disk.subarray(-footerBytes), 0, disk.length) ?? { entriesAt: 0 }
    // The entry of record 1 of topic 0 says what that of record 2 says.
    disk.copyWithin(entriesAt + entryBytes, entriesAt + 2 * entryBytes, entriesAt + 3 * entryBytes)
    const again = new RecordLookup(log.files, log.readWindows, log.catalog, {
      published: () => log.published,
      indexed: () => log.indexed,
      trim: () => log.trim,
    })
    expect(again.find(0, [0, 1, 2, 3]).starts.map((start) => start >= 0)).toEqual([true, false, true, true])
  })

  it('says where the damage is and where reading can go on', () => {
    const { log, world, starts } = interleaved(5)
    world.disk.bytes(log.path(0))[starts[4] + 60] ^= 1
    const error = caught(() => readAll(log.reader, 0, 0, 5, 'dense'))
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 2, position: starts[4], file: log.path(0), next: 3 })
    expect(readAll(log.reader, 0, 0, 2, 'dense')).toHaveLength(2)
    expect(readAll(log.reader, 0, 3, 5, 'dense')).toHaveLength(2)
    expect(caught(() => log.reader.readOne(0, 2))).toMatchObject({
      code: 'BOOKEND_CORRUPT',
      position: starts[4],
      next: 3,
    })
  })

  it('delivers a topic whose own records are whole, past a damaged batch of another topic', () => {
    const { log, world, starts } = interleaved(6)
    // Read one chunk first, so that reading goes on behind it without the index.
    const first = log.reader.read({ topic: 0, offset: 0, to: 2 })
    world.disk.bytes(log.path(0))[starts[5] + 60] ^= 1
    const rest = log.reader.read({ topic: 0, offset: 2, to: 6, resume: first.resume })
    const found = recordsOf(rest.bytes, 0, 2, rest.next)
    const more =
      rest.next < 6
        ? recordsOf(log.reader.read({ topic: 0, offset: rest.next, to: 6, resume: rest.resume }).bytes, 0, rest.next, 6)
        : []
    expect([...found, ...more].map(({ offset }) => offset)).toEqual([2, 3, 4, 5])
  })

  it('keeps the same promises in a sealed segment with an index', async () => {
    const { log, world, starts } = interleaved(6)
    log.roll()
    await log.index()
    world.disk.bytes(log.path(0))[starts[4] + 60] ^= 1
    expect(caught(() => readAll(log.reader, 0, 0, 6, 'dense'))).toMatchObject({
      code: 'BOOKEND_CORRUPT',
      offset: 2,
      position: starts[4],
      next: 3,
    })
    expect(caught(() => log.reader.readOne(0, 2))).toMatchObject({
      code: 'BOOKEND_CORRUPT',
      offset: 2,
      position: starts[4],
      file: log.path(0),
      next: 3,
    })
    expect(readAll(log.reader, 0, 3, 6, 'dense')).toHaveLength(3)
    expect(readAll(log.reader, 1, 0, 6, 'dense')).toHaveLength(6)
    expect(readAll(log.reader, 1, 0, 6, 'sparse')).toHaveLength(6)
  })

  it('finds a record in spite of an index entry that lies', async () => {
    const { log, world } = interleaved(4)
    log.roll()
    await log.index()
    const bytes = world.disk.bytes(log.path(0))
    const entriesAt = new DataView(bytes.buffer).getUint32(bytes.length - 64 + 24, true)
    for (const lie of [0, 8, 64, 4_096, 2 ** 32 - 8, 2 ** 31]) {
      new DataView(bytes.buffer).setUint32(entriesAt, lie, true)
      new DataView(bytes.buffer).setUint32(entriesAt + 4, lie + 48, true)
      const reopened = new StorageLog(simulatedWorld(world.disk.copy()))
      const found = reopened.reader.readOne(0, 0)
      if (found === undefined) throw new Error('the record is there')
      expect(recordsOf(found, 0, 0, 1)[0].value).toEqual(payloadOf(0, 0, 200))
    }
  })

  it('reports a segment that was deleted or truncated under the log, and delivers the others', () => {
    const { log, world } = interleaved(3)
    log.roll()
    log.append([{ topic: 0, value: payloadOf(0, 3, 10) }])
    log.flush()
    world.disk.truncate(log.path(0), 4_096 * 100)
    // Still mapped: what lies behind the new end is refused by the memory, not read.
    log.readWindows.closeAll()
    expect(caught(() => readAll(log.reader, 0, 0, 3, 'dense')).code).toBe('BOOKEND_CORRUPT')
    expect(readAll(log.reader, 0, 3, 4, 'dense')).toHaveLength(1)
    world.disk.drop(log.path(0))
    expect(caught(() => readAll(log.reader, 0, 0, 3, 'dense')).code).toBe('BOOKEND_CORRUPT')
    expect(readAll(log.reader, 0, 3, 4, 'dense')).toHaveLength(1)
  })
})
