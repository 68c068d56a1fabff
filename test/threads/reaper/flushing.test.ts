/** Whoever waits for the device is told when it has everything, and not before. */
import { expect, it } from 'vitest'
import { decodeControlRecord } from '../../../src/format/control-layout.js'
import { indexOfCall, start } from '../../support/driven-reaper.js'

it('serves everybody who waits with one flush, and says durable only afterwards', async () => {
  const { engine, world, add } = start()
  engine.reaper.tend()
  await engine.settle(3)
  world.disk.holdSyncs()
  add(100, 5)
  const position = engine.state.published.load()
  const before = engine.state.durable.load()
  const flushes = engine.state.flushCount.load()
  for (let waiter = 0; waiter < 5; waiter++) engine.requestFlush()
  const asked = engine.producer.tail
  engine.reaper.tend()
  engine.reaper.tend()
  // What comes while it runs belongs to the next one.
  add(100)
  await new Promise(setImmediate)
  expect(engine.state.durable.load()).toBe(before)
  expect(world.disk.finishSyncs()).toBe(1)
  await new Promise(setImmediate)
  expect(engine.state.durable.load()).toBe(position)
  expect(engine.lane.flushedTo.load()).toBe(asked)
  expect(engine.state.flushCount.load()).toBe(flushes + 1)
  // The control file follows the device, never the other way.
  expect(decodeControlRecord(world.disk.bytes('/log/control'))?.durable).toBe(position)
})

it('what somebody waits for is flushed as soon as it is published, and reported only when it is on the device', async () => {
  const { engine, world, add } = start()
  await engine.flush()
  const { state, lane, producer } = engine
  const before = lane.flushedTo.load()
  expect(before).toBe(producer.tail)
  const seen: number[] = []
  world.disk.fault = ({ call }) => {
    if (call === 'sync') seen.push(lane.flushedTo.load())
  }
  add(100)
  engine.reaper.tend()
  expect(seen).toEqual([])
  const token = state.reaper.arm()
  lane.flushWished.store(producer.tail + 1)
  add(100)
  // Nobody but the writer has rung.
  expect(state.reaper.token()).not.toBe(token)
  engine.reaper.tend()
  expect(seen).toEqual([before])
  expect(lane.flushedTo.load()).toBe(producer.tail)
  expect(state.durable.load()).toBe(state.published.load())
  add(100)
  engine.reaper.tend()
  expect(seen).toHaveLength(1)
})

it('what is written past the ring is flushed with what is handed over behind it, and for whoever asks by a call', async () => {
  const { engine, add } = start()
  const { state, reaper, writer } = engine
  add(100, 4)
  await engine.flush()
  for (const isCalled of [false, true]) {
    writer.trim(0, isCalled ? 2 : 1)
    expect(state.durable.load()).toBeLessThan(state.published.load())
    if (isCalled) await reaper.flushed()
    else await engine.flush()
    expect(state.durable.load()).toBe(state.published.load())
  }
})

it('covers every segment that the log went through', async () => {
  const { engine, world, add } = start()
  await engine.settle(4)
  while (engine.tail.segment < 1) add(60_000)
  add(60_000)
  const { calls } = world.disk
  const from = calls.length
  await engine.flush()
  for (const segment of [0, 1]) expect(indexOfCall(calls, 'sync', engine.files.path(segment), from)).toBeGreaterThan(0)
  expect(engine.state.durable.load()).toBe(engine.state.published.load())
})

it('marks the log clean only after everything is flushed', async () => {
  const { engine, world, add } = start()
  await engine.settle(4)
  add(100, 3)
  await engine.reaper.stop(true)
  const record = decodeControlRecord(world.disk.bytes('/log/control'))
  const published = engine.state.published.load()
  expect(record).toMatchObject({ isClean: true, published, durable: published })
})
