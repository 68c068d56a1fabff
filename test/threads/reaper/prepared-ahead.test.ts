/** Segments are there before the writer needs them. */
import { expect, it } from 'vitest'
import { allocateRetryMs } from '../../../src/limits.js'
import { failedCall } from '../../../src/memory/errno.js'
import { indexOfCall, start } from '../../support/driven-reaper.js'

it('keeps two segments ready behind the active one, each whole, flushed and named before the writer hears of it', () => {
  const { engine, world } = start()
  const seen: number[] = []
  const { prepared } = engine.state
  const store = prepared.store.bind(prepared)
  prepared.store = (segment) => {
    seen.push(segment)
    const { calls } = world.disk
    const file = engine.files.path(segment)
    const steps = [
      indexOfCall(calls, 'create', `${file}.new`),
      indexOfCall(calls, 'write', `${file}.new`),
      indexOfCall(calls, 'sync', `${file}.new`),
      indexOfCall(calls, 'rename', file),
    ]
    steps.push(indexOfCall(calls, 'syncDirectory', engine.files.directory, steps[3]))
    expect(steps.every((at) => at >= 0)).toBe(true)
    expect([...steps].sort((a, b) => a - b)).toEqual(steps)
    store(segment)
  }
  for (let turn = 0; turn < 5; turn++) engine.reaper.tend()
  expect(seen).toEqual([1, 2])
})

it('leaves nothing behind when the disk is full, says why, and tries again later', async () => {
  const { engine, world } = start()
  world.disk.fault = ({ call }) => {
    if (call === 'allocate') throw failedCall('fallocate', 28)
  }
  for (let turn = 0; turn < 5; turn++) engine.reaper.tend()
  expect(engine.state.allocateErrno.load()).toBe(28)
  expect(world.disk.list(engine.files.directory).filter((name) => name.endsWith('.new'))).toEqual([])
  expect(engine.events.filter(({ type }) => type === 'error')).toHaveLength(1)
  world.disk.fault = () => {}
  engine.letTimePass(allocateRetryMs)
  engine.reaper.tend()
  expect(engine.state.allocateErrno.load()).toBe(0)
  expect(engine.state.prepared.load()).toBeGreaterThanOrEqual(1)
  // The same trouble is reported once, not every time it is asked about.
  expect(engine.events.filter(({ type }) => type === 'error')).toHaveLength(1)
})

it('reports no lack of space while there are blocks enough ahead of the writer', () => {
  const { engine, world } = start()
  for (let turn = 0; turn < 3; turn++) engine.reaper.tend()
  expect(engine.state.allocated.load()).toBe(2 * engine.files.segmentBytes)
  world.disk.fault = ({ call }) => {
    if (call === 'allocate') throw failedCall('fallocate', 28)
  }
  engine.reaper.tend()
  expect(engine.state.allocateErrno.load()).toBe(0)
})
