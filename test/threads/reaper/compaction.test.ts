/** Topics compacted by key, with the writer and the reaper at work on the simulated disk. */
import { expect, it } from 'vitest'
import { batchHeaderBytes } from '../../../src/format/batch-layout.js'
import { featureWords } from '../../../src/format/features.js'
import { hasExpired } from '../../../src/messages/expiry.js'
import { beginStateRead } from '../../../src/ring/state-reads.js'
import { indexOfCall } from '../../support/driven-reaper.js'
import { Engine } from '../../support/engine.js'
import { compactedSegmentBytes, plain, startKeyed, state } from '../../support/keyed-engine.js'
import { simulatedWorld } from '../../support/worlds.js'

it('the latest of each key stays, and what has no key; what it supersedes in sealed segments is passed over', async () => {
  const { world, engine, puts, fillTo, compact, readable, latest, generations } = startKeyed()
  await fillTo(5)
  expect(readable(state)).toHaveLength(puts[state].length)
  await compact()
  expect(readable(state)).toEqual(latest())
  expect(readable(plain)).toHaveLength(puts[plain].length)
  expect(Math.max(...generations())).toBe(1)
  expect(engine.state.rewrittenBytes.load()).toBeGreaterThan(compactedSegmentBytes)
  // Its place is there, and says that it has expired.
  const gone = puts[state].findIndex((_, offset) => !latest().includes(offset))
  const stub = engine.reader.readOne(state, gone) as Uint8Array
  expect(hasExpired(stub, new Uint32Array(stub.buffer, stub.byteOffset, stub.length >>> 2), batchHeaderBytes)).toBe(
    true,
  )
  const again = new Engine(simulatedWorld(world.disk.copy()), { segmentBytes: compactedSegmentBytes })
  expect(again.recovered.topics.map(({ first, next }) => [first, next])).toEqual(puts.map(({ length }) => [0, length]))
  expect(readable(state, again)).toEqual(latest())
  expect(readable(plain, again)).toHaveLength(puts[plain].length)
})

it('goes on as the log does, and by a reaper that follows', async () => {
  const { engine, puts, fillTo, compact, pass, readable, latest } = startKeyed({ seed: 2 })
  /** The few that were the latest when their segment was written anew are not worth doing so again. */
  const expectCompacted = () => {
    const found = readable(state)
    expect(found).toEqual(expect.arrayContaining(latest()))
    expect(found.length).toBeLessThanOrEqual(latest().length + 8 * engine.tail.segment)
  }
  await fillTo(3)
  await compact()
  await fillTo(6)
  await pass()
  expectCompacted()
  await fillTo(8)
  await engine.reaper.stop(false)
  const next = engine.nextReaper()
  next.retain('state', { compact: true, minDirty: 0.05 })
  for (let round = 0; round < 200; round++) {
    next.tend()
    engine.writer.doWork()
    await new Promise(setImmediate)
  }
  expectCompacted()
  expect(readable(plain)).toHaveLength(puts[plain].length)
  await next.stop(true)
})

it('nothing is written anew where less than `minDirty` is superseded, or nothing is compacted', async () => {
  const { engine, puts, fillTo, compact, pass, readable, generations } = startKeyed({ keys: 100_000 })
  await fillTo(3)
  await compact({ minDirty: 0.5 })
  expect(generations()).toEqual([0, 0, 0])
  engine.reaper.retain('state', {})
  await pass(120_000)
  expect(readable(state)).toHaveLength(puts[state].length)
})

it('a segment in which nothing counts any more goes, however little was left in it', async () => {
  const { engine, put, fillTo, compact, pass, readable, latest, generations } = startKeyed({ seed: 4 })
  let number = 0
  const next = () => put(state, `key ${number++ % 8}`)
  put(state, 'rare')
  await fillTo(4, next)
  await compact()
  expect(engine.files.list()[0]).toBe(0)
  expect(readable(state)[0]).toBe(0)
  expect(generations()[0]).toBe(1)
  put(state, 'rare')
  await fillTo(6, next)
  await pass()
  expect(engine.files.list()[0]).toBeGreaterThanOrEqual(3)
  expect(readable(state)).toEqual(latest().filter((offset) => offset >= engine.cells.first(state).load()))
})

it('what is trimmed, moved on and let go meanwhile changes nothing about it', async () => {
  const { engine, puts, fillTo, compact, pass, readable, latest } = startKeyed({ seed: 3 })
  await fillTo(6)
  const first = Math.floor(puts[state].length * 0.3)
  engine.offer([{ declare: 'state', topic: state, first }])
  engine.writer.doWork()
  engine.reaper.retain('plain', { maxBytes: 0 })
  await compact()
  await pass()
  expect(readable(state)).toEqual(latest().filter((offset) => offset >= first))
})

it.each(['ends', 'never says that he has ended'] as const)(
  'what is superseded while somebody reads the state stays until the last of them ends, or for a minute (one %s)',
  async (how) => {
    const { engine, puts, put, fillTo, compact, pass, readable, latest, now } = startKeyed({ seed: 6 })
    const read = put(state, 'read')
    await fillTo(3)
    const end = beginStateRead(engine.state, now())
    beginStateRead(engine.state, now())()
    put(state, 'read')
    await fillTo(6)
    await compact()
    expect(readable(state)).toHaveLength(puts[state].length)
    await pass(50_000)
    expect(readable(state)).toContain(read)
    if (how === 'ends') end()
    await pass(how === 'ends' ? 2_000 : 80_000)
    expect(readable(state)).toEqual(latest())
  },
)

it('looks through all of it without waiting for the clock', async () => {
  const { engine, fillTo, compact } = startKeyed({ keys: 100_000 })
  await fillTo(12)
  await compact({ minDirty: 0.9 })
  // A thousand pairs of segments, and all of it once more.
  engine.reaper.retain('state', {})
  engine.reaper.retain('state', { compact: true, minDirty: 0.9 })
  let turns = 0
  let waitMs = engine.reaper.tend()
  for (; waitMs === 0; waitMs = engine.reaper.tend()) turns += 1
  expect(turns).toBeGreaterThan(0)
  expect(waitMs).toBeGreaterThanOrEqual(1_000)
})

it('the log says that it holds such places, durably, before the first is written', async () => {
  const { world, engine, fillTo, compact } = startKeyed({ seed: 4 })
  await fillTo(3)
  const word = featureWords.expiry.readOnlyCompatible ?? 0
  expect(engine.control.identity.features.readOnlyCompatible & word).toBe(0)
  const { calls } = world.disk
  calls.length = 0
  await compact()
  expect(engine.control.identity.features.readOnlyCompatible & word).toBe(word)
  const control = calls.find(({ call, file }) => call === 'sync' && file.endsWith('control'))?.file as string
  const begun = calls.findIndex(({ call, file }) => call === 'create' && file.endsWith('.seg.new'))
  expect(indexOfCall(calls, 'sync', control)).toBeLessThan(begun)
})

it.each([
  ['goes when it is old enough and every group is past it, and the offsets of these are durable first', 0, 1e9, false],
  ['stays while a group has not seen it', 0, 1, true],
  ['stays while it is young', 3_600_000, 1e9, true],
] as const)('a tombstone %s', async (_, tombstoneMs, past, stays) => {
  const said: string[] = []
  const world = simulatedWorld()
  const { put, fillTo, compact, readable, generations } = startKeyed({
    seed: 5,
    world,
    reaper: {
      consumedTo: () => past,
      beforeConsumedTrim: () => {
        const isBegun = world.disk.list(`${world.directory}/log`).some((name) => name.endsWith('.new'))
        said.push(isBegun ? 'late' : 'in time')
      },
    },
  })
  const gone = put(state, 'gone')
  const deleted = put(state, 'gone', true)
  await fillTo(3)
  await compact({ tombstoneMs })
  expect(generations()[0]).toBe(1)
  expect(readable(state)).not.toContain(gone)
  expect(readable(state).includes(deleted)).toBe(stays)
  expect(new Set(said)).toEqual(new Set(['in time']))
})

it('goes on where the oldest segments are deleted in the middle of a look through all of them', async () => {
  const { engine, puts, put, fillTo, readable, latest, pass } = startKeyed({ seed: 5 })
  let number = 0
  const next = () => {
    number += 1
    // Nothing older of its key is anywhere: it is looked for down to the oldest segment.
    if (number % 20 === 0) put(state, `only ${number}`, true)
    else put(state, `key ${number % 300}`)
  }
  await fillTo(8, next)
  engine.reaper.retain('state', { compact: true, minDirty: 0.05, tombstoneMs: 0 })
  for (let segment = 1; segment < 5; segment++) {
    const { first } = engine.catalog.stretches(state, 0, 1e9).find((each) => each.segment === segment) ?? { first: 0 }
    engine.offer([{ declare: 'state', topic: state, first }])
    engine.writer.doWork()
    await pass(400, 3 * segment)
  }
  await pass()
  expect(engine.state.reaperErrno.load()).toBe(0)
  expect(engine.files.list()[0]).toBeGreaterThanOrEqual(4)
  expect(puts[state].length).toBeGreaterThan(500)
  const first = engine.cells.first(state).load()
  expect(readable(state)).toEqual(
    expect.arrayContaining(latest().filter((each) => each >= first && !puts[state][each].isTombstone)),
  )
})
