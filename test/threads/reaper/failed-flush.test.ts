/** A flush that fails has flushed nothing, and says nothing about what is flushed later. */
import { expect, it } from 'vitest'
import { decodeControlRecord } from '../../../src/format/control-layout.js'
import { allocateRetryMs } from '../../../src/limits.js'
import { failedCall } from '../../../src/memory/errno.js'
import { start } from '../../support/driven-reaper.js'

it.each([5, 24])('what was asked for is never reported by a flush that failed (errno %i)', async (errno) => {
  const { engine, world, add } = start()
  await engine.settle(4)
  const { state, lane } = engine
  const flushedBefore = lane.flushedTo.load()
  lane.flushWished.store(engine.producer.tail + 1)
  add(100)
  const durable = state.durable.load()
  let tries = 0
  world.disk.fault = ({ call, file }) => {
    if (call !== 'sync' || file !== engine.files.path(0)) return
    tries += 1
    throw failedCall('fdatasync', errno)
  }
  for (let turn = 0; turn < 3; turn++) engine.reaper.tend()
  // A failing device is asked once, and a passing trouble not again at once.
  expect(tries).toBe(1)
  expect(lane.flushedTo.load()).toBe(flushedBefore)
  expect(state.durable.load()).toBe(durable)
  expect(state.reaperErrno.load()).toBe(errno === 5 ? 5 : 0)
  world.disk.fault = () => {}
  engine.letTimePass(allocateRetryMs)
  await engine.settle(4)
  expect(lane.flushedTo.load()).toBe(errno === 5 ? flushedBefore : engine.producer.tail)
})

it('never tries a failed flush again: nothing becomes durable, the errno stays, the rest of the reaper stops', async () => {
  const { engine, world, add } = start()
  await engine.settle(4)
  add(100)
  const durable = engine.state.durable.load()
  let syncs = 0
  world.disk.fault = ({ call, file }) => {
    if (call !== 'sync' || !file.endsWith('.seg')) return
    syncs += 1
    // It fails once, and would succeed from then on: that success says nothing about the lost pages.
    if (syncs === 1) throw failedCall('msync', 5)
  }
  engine.requestFlush()
  await engine.settle()
  add(100)
  engine.requestFlush()
  await engine.settle()
  expect(syncs).toBe(1)
  expect(engine.state.reaperErrno.load()).toBe(5)
  expect(engine.state.durable.load()).toBe(durable)
  expect(engine.events.filter(({ type }) => type === 'error')).toEqual([
    { type: 'error', what: 'flushing the log', code: 'EIO', errno: 5 },
  ])
  // Not even the last word when the log closes.
  await engine.reaper.stop(true)
  expect(syncs).toBe(1)
  expect(decodeControlRecord(world.disk.bytes('/log/control'))).toMatchObject({ durable, isClean: false })
})

it('ends its thread where it has a bug: that is no failure of the device, and the next reaper flushes', async () => {
  const { engine, world, add } = start()
  await engine.settle(4)
  const bug = new TypeError('a bug')
  world.disk.fault = ({ call, file }) => {
    if (call === 'sync' && file.endsWith('.seg')) throw bug
  }
  // On its own thread, as it flushes what is short.
  engine.lane.flushWished.store(engine.producer.tail + 1)
  add(100)
  expect(() => engine.reaper.tend()).toThrow(bug)
  // And on another, which ends the thread as an unhandled rejection.
  await expect(engine.reaper.stop(true)).rejects.toThrow(bug)
  expect(engine.state.reaperErrno.load()).toBe(0)
  expect(engine.events.filter(({ type }) => type === 'error')).toEqual([])
})
