/** The kernel may refuse to replace a mapping. */
import { expect, it } from 'vitest'
import { failedCall } from '../../../src/memory/errno.js'
import { start } from '../../support/driven-reaper.js'
import { expectRecords, readAll } from '../../support/model.js'

it('a retirement that the kernel refuses is reported, and its owner closes the mapping: appending and reading go on', async () => {
  const { engine, world, model, add } = start({ mapTtlMs: 1_000 })
  let now = 0
  engine.slots.nowMs = () => now
  add(1_000, 3)
  await engine.flush()
  now = 1_000
  world.disk.fault = ({ call }) => {
    if (call === 'retire') throw failedCall('mmap', 12, 'retire')
  }
  engine.reaper.tend()
  expect([...engine.slots.rows()].map(({ state }) => state)).toEqual(['leaving'])
  expect(engine.events).toContainEqual({ type: 'error', what: 'retiring a mapping', code: 'ENOMEM', errno: 12 })
  expect(engine.state.reaperErrno.load()).toBe(0)
  // A thread that has ended has nobody to close it: its slot is free all the same.
  world.disk.fault = () => {}
  add(1_000)
  world.disk.fault = ({ call }) => {
    if (call === 'retire') throw failedCall('mmap', 12, 'retire')
  }
  for (const { owner } of engine.slots.rows()) engine.reaper.ownerDied(owner)
  expect([...engine.slots.rows()]).toEqual([])
  world.disk.fault = () => {}
  expectRecords(readAll(engine.reader, 0, 0, 4, 'dense'), model.topics[0], 0, 4)
})
