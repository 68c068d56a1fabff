/** What is durable before a segment goes. */
import { expect, it } from 'vitest'
import { indexOfCall, start } from '../../support/driven-reaper.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { expectRecords, readAll } from '../../support/model.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

async function trimmed() {
  const sample = start()
  await sample.fillTo(2)
  sample.add(100, 3)
  await sample.engine.flush()
  sample.world.disk.calls.length = 0
  const from = sample.engine.catalog
    .stretches(0, 0, Number.MAX_SAFE_INTEGER)
    .find(({ segment }) => segment === 2)?.first
  if (from === undefined) throw new Error('there are records in the active segment')
  sample.trim(from)
  return { ...sample, from }
}

it('declares anew, makes that durable, then the trim position, then removes the files, then flushes the directory', async () => {
  const { engine, world, from, model } = await trimmed()
  await engine.settle(20)
  const { calls } = world.disk
  const active = engine.files.path(2)
  const declared = indexOfCall(calls, 'write', active)
  const durable = calls.findLastIndex(({ call, file }) => call === 'sync' && file === active)
  const removed = [0, 1].map((segment) => indexOfCall(calls, 'remove', engine.files.path(segment)))
  const trimWritten = calls
    .slice(0, removed[0])
    .findLastIndex(({ call, file }) => call === 'write' && file === '/log/control')
  const trimSynced = indexOfCall(calls, 'sync', '/log/control', trimWritten)
  const directory = indexOfCall(calls, 'syncDirectory', engine.files.directory, removed[1])
  const order = [declared, durable, trimWritten, trimSynced, ...removed, directory]
  expect(order.every((at) => at >= 0)).toBe(true)
  expect([...order].sort((a, b) => a - b)).toEqual(order)
  expect(engine.state.deletedCount.load()).toBe(2)
  expect(engine.state.trim.load()).toBe(2 * testSegmentBytes)
  const { length } = model.topics[0].values
  expectRecords(readAll(engine.reader, 0, from, length, 'dense'), model.topics[0], from, length)
  const again = new Engine(simulatedWorld(world.disk.copy()))
  expect(again.recovered.topics[0]).toMatchObject({ name: 'a', first: from, next: length })
  expect(again.recovered.damages).toEqual([])
})

it('removes nothing while the new declarations are not durable', async () => {
  const { engine, world } = await trimmed()
  world.disk.holdSyncs()
  await engine.settle(20)
  expect(indexOfCall(world.disk.calls, 'remove', engine.files.path(0))).toBe(-1)
  for (let turn = 0; turn < 20; turn++) {
    world.disk.finishSyncs()
    await engine.settle(1)
  }
  expect(indexOfCall(world.disk.calls, 'remove', engine.files.path(0))).toBeGreaterThanOrEqual(0)
})

it('is not stopped by a segment that somebody has removed already', async () => {
  const { engine, world } = await trimmed()
  world.disk.drop(engine.files.path(0))
  await engine.settle(20)
  expect(world.disk.has(engine.files.path(1))).toBe(false)
  expect(engine.state.trim.load()).toBe(2 * testSegmentBytes)
})

it('keeps every segment that some topic can still read', async () => {
  const sample = start()
  sample.model.declare('b')
  sample.engine.offer([{ declare: 'b', topic: 1 }])
  // Too much to be moved out of the way.
  const value = payloadOf(1, 0, 100_000)
  sample.model.add(1, value)
  sample.engine.append(1, value)
  await sample.fillTo(2)
  await sample.engine.flush()
  sample.trim(sample.model.topics[0].values.length)
  await sample.engine.settle(20)
  expect(sample.engine.state.trim.load()).toBe(0)
  expect(sample.world.disk.has(sample.engine.files.path(0))).toBe(true)
})
