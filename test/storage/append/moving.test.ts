/** Records of a small topic, written anew further on: see also the crash test and the random lives in topic-reader.test.ts. */
import { expect, it } from 'vitest'
import { collectTopic, type MovedTopic } from '../../../src/storage/append/topic-mover.js'
import { RetentionLedger } from '../../../src/storage/life/retention-ledger.js'
import { readSegmentFacts } from '../../../src/storage/life/segment-facts.js'
import { payloadOf } from '../../support/frames.js'
import { expectReadable, Model } from '../../support/model.js'
import { bootB, StorageLog } from '../../support/storage-log.js'
import { type SimulatedWorld, simulatedWorld } from '../../support/worlds.js'

/** A log whose topic 0 has twenty records, each in a batch of its own, in the first of two sealed segments. */
async function start(): Promise<{ world: SimulatedWorld; log: StorageLog; model: Model; moved: MovedTopic }> {
  const world = simulatedWorld()
  let clock = 1_000
  const log = new StorageLog(world, { now: () => clock++ })
  const model = new Model()
  for (const [topic, name] of ['small', 'large'].entries()) {
    model.declare(name)
    log.append([{ declare: name, topic }])
  }
  const add = (topic: number, bytes: number) => {
    const value = payloadOf(topic, model.topics[topic].values.length, bytes)
    model.add(topic, value)
    log.append([{ topic, value }])
  }
  for (let offset = 0; offset < 20; offset++) add(0, 50 + offset)
  while (log.tail.segment < 2) add(1, 50_000)
  await log.index()
  const moved = collectTopic(log.files, 0, 0, 20, [0])
  if (moved === undefined) throw new Error('the records can be read')
  expect(moved.batches).toHaveLength(20)
  return { world, log, model, moved }
}

it('moved records are there as a whole or not at all, wherever in the middle of them the log ends', async () => {
  const { world, log, model, moved } = await start()
  const file = log.path(2)
  const ends = [log.tail.relative]
  const append = log.tail.moveForward(moved)
  expect(append).toBe('moved')
  const end = log.tail.relative
  const bytes = world.disk.bytes(file)
  const words = new Uint32Array(bytes.buffer)
  while ((ends.at(-1) as number) < end) ends.push((ends.at(-1) as number) + words[((ends.at(-1) as number) + 8) >>> 2])
  expect(ends).toHaveLength(21)
  for (const at of ends) {
    const disk = world.disk.copy()
    disk.bytes(file).fill(0, at)
    const again = new StorageLog(simulatedWorld(disk), { bootId: bootB })
    expect(again.recovered.topics[0]).toMatchObject({ first: 0, next: 20, declaredIn: at === end ? 2 : 0 })
    expectReadable(again.reader, again.recovered, model)
    // What is appended then goes on behind all of them.
    const value = payloadOf(0, 20, 60)
    again.append([{ topic: 0, value }])
    again.roll()
    await again.index()
    const third = new StorageLog(simulatedWorld(disk.copy()))
    const longer = new Model()
    for (const topic of model.topics) Object.assign(longer.declare(topic.name), { values: [...topic.values] })
    longer.topics[0].values.push(value)
    expect(third.recovered.topics[0].next).toBe(21)
    expectReadable(third.reader, third.recovered, longer)
  }
})

it('nothing is moved that has changed since it was read, or has records in the same segment', async () => {
  const { log, moved } = await start()
  log.append([{ topic: 0, value: new Uint8Array(1) }])
  expect(log.tail.moveForward(moved)).toBe('stale')
  log.roll()
  // Declared elsewhere again, but the copy does not reach to the next append.
  expect(log.tail.moveForward(moved)).toBe('stale')
  const trimmed = await start()
  trimmed.log.tail.forget(0, 5)
  expect(trimmed.log.tail.moveForward(trimmed.moved)).toBe('stale')
  const twice = await start()
  expect(twice.log.tail.moveForward(twice.moved)).toBe('moved')
  expect(twice.log.tail.moveForward(twice.moved)).toBe('stale')
})

it('a damaged record is not moved, and so not lost', async () => {
  const { world, log } = await start()
  world.disk.bytes(log.path(0))[400] ^= 1
  expect(collectTopic(log.files, 0, 0, 20, [0])).toBeUndefined()
})

it('the ledger counts a moved topic once, where it stands now', async () => {
  const { world, log, moved } = await start()
  const ledger = new RetentionLedger()
  const facts = (segment: number) => {
    const found = readSegmentFacts(world.disk, log.files, world.plainMemory, segment)
    if (found === undefined) throw new Error('the segment is whole')
    return found
  }
  for (const segment of [0, 1]) ledger.add(segment, facts(segment))
  const bytes = ledger.bytesOf(0)
  expect(bytes).toBe(moved.batches.reduce((sum, { frames }) => sum + frames.length, 0))
  expect([ledger.endOf(0), ledger.isMoved(0, 0), ledger.segmentsOf(0)]).toEqual([20, false, [0]])
  log.tail.moveForward(moved)
  log.roll()
  await log.index()
  ledger.add(2, facts(2))
  expect([ledger.bytesOf(0), ledger.endOf(0), ledger.isMoved(0, 0), ledger.segmentsOf(0)]).toEqual([
    bytes,
    20,
    true,
    [2],
  ])
  ledger.remove(0, facts(0))
  expect(ledger.bytesOf(0)).toBe(bytes)
  const large = ledger.bytesOf(1)
  ledger.remove(1, facts(1))
  expect(ledger.bytesOf(1)).toBeLessThan(large)
  ledger.remove(2, facts(2))
  expect([ledger.bytesOf(0), ledger.endOf(0)]).toEqual([0, -1])
})
