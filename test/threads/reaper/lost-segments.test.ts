/** A log that lacks a segment goes on behind it. */
import { expect, it } from 'vitest'
import { indexOfCall, start } from '../../support/driven-reaper.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { expectRecords, readAll } from '../../support/model.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

it.each([
  ['the last one', [1, 2, 3]],
  ['the one with the durable position', [1]],
  ['one behind what is not flushed', [2]],
])('appends and flushes behind it: %s', async (_, lost) => {
  const { world, engine, model, add, fillTo } = start()
  await fillTo(1)
  add(1_000, 3)
  await engine.flush()
  expect(engine.files.segmentOf(engine.state.durable.load())).toBe(1)
  // From here on nothing reaches the device.
  world.disk.holdSyncs()
  await fillTo(3)
  add(1_000, 3)
  const disk = world.disk.copy()
  for (const segment of lost) disk.drop(engine.files.path(segment))

  const again = new Engine(simulatedWorld(disk), { ringBytes: 1 << 20 })
  const lostFrom = testSegmentBytes * lost[0]
  expect(again.recovered.damages).toEqual([{ from: lostFrom, to: lostFrom + testSegmentBytes }])
  // The position goes behind what is lost, so what is in front of that is flushed, and before the position is stored.
  const { calls } = disk
  const stored = indexOfCall(calls, 'write', '/log/control')
  if (lost[0] > 1) expect(indexOfCall(calls.slice(0, stored), 'sync', engine.files.path(1))).toBeGreaterThan(0)
  expect(again.state.durable.load()).toBeGreaterThanOrEqual(lostFrom + testSegmentBytes)

  const { next } = again.recovered.topics[0]
  const value = payloadOf(0, next, 500)
  again.append(0, value)
  await again.flush()
  expect(again.events.filter(({ type }) => type === 'error')).toEqual([])
  expect(again.state.durable.load()).toBe(again.state.published.load())
  model.topics[0].values[next] = value
  expectRecords(readAll(again.reader, 0, next, next + 1, 'dense'), model.topics[0], next, next + 1)
})
