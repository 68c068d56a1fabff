/** Random lives of a log, read in every way, beside plain arrays. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collectTopic } from '../../../src/storage/append/topic-mover.js'
import { groupOf, payloadOf, type TestFrame } from '../../support/frames.js'
import { checkHot, warmUp } from '../../support/hot.js'
import {
  expectPrefix,
  expectRecords,
  type Found,
  Model,
  type ModelTopic,
  readAll,
  recordsOf,
} from '../../support/model.js'
import { StorageLog } from '../../support/storage-log.js'
import { memoryKinds, realWorld, simulatedWorld, type World } from '../../support/worlds.js'

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
      const moved = collectTopic(files, id, first, values.length, from)
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
      await readHot(log, model, clock)
    }
  }
  readEverything(log, model, times)
  await readHot(log, model, 0)
  log.close(true)
}

/** What the calling thread finds in memory is right; all of it, if nothing is `cold`. */
async function readHot({ hot, world }: StorageLog, model: Model, cold: number): Promise<void> {
  if (hot === undefined || world.now === undefined) return
  let reads = cold
  world.now.isCold = () => cold > 0 && (reads++ * 7) % 11 < 4
  for (const topic of model.topics) {
    if (cold === 0) expect(await warmUp(hot, topic)).toBe(topic.values.length - topic.first)
    // What is cold changes with every read, so what is found never settles.
    else
      for (let pass = 0; pass < 2; pass++) {
        checkHot(hot, topic)
        await hot.settled()
      }
  }
}

/** The time of each record, as first seen: it never changes. */
type Times = Map<string, number>

/** Every record, last first, and offsets that are none: what is found is right, and on a whole log all there is. */
function lookUpEverything(log: StorageLog, { id, first, values }: ModelTopic, all: readonly Found[]): void {
  const offsets = Array.from({ length: values.length - first }, (_, index) => values.length - 1 - index)
  const { bytes, starts } = log.lookup.find(id, [values.length, ...offsets, values.length + 1e6])
  expect([starts[0], starts.at(-1)]).toEqual([-1, -1])
  const found = Array.from(starts.slice(1, -1)).flatMap((start, index) => {
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
