import { expect, it } from 'vitest'
import { LogWalk, type WalkStep } from '../../../src/storage/follow/log-walk.js'
import { ShortWalk } from '../../../src/storage/follow/short-walk.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const segmentBytes = 1 << 18
const value = new Uint8Array(100)

/** A log that is followed up to `from`. */
async function followed() {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes })
  log.append([
    { declare: 't', topic: 0 },
    { topic: 0, value },
  ])
  const walk = new ShortWalk(world.now, log.files)
  const from = log.published
  const open = async (at = from) => {
    // It is opened off this thread.
    expect(walk.step(at, at)).toBeUndefined()
    for (let turn = 0; turn < 4; turn++) await undefined
  }
  await open()
  return { world, log, walk, from, open }
}

it('finds what the long walk finds', async () => {
  const { world, log, walk, from } = await followed()
  for (let count = 0; count < 5; count++)
    log.append([
      { topic: 0, value },
      { topic: 0, value },
    ])
  log.append([
    { declare: 'u', topic: 1 },
    { topic: 1, value },
  ])
  const step = walk.step(from, log.published)
  expect(step?.topics.map(({ topic, name, next, count }) => [topic, name, next, count])).toEqual([
    [0, '', 11, 10],
    [1, 'u', 1, 1],
  ])
  const long = new LogWalk(world.disk, log.files, from)
  expect([...long.advance(log.published, 0)]).toEqual([step])
})

it('the long walk ends no step inside of an atomic group, and others where it is to', () => {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes: 1 << 20 })
  log.append([{ declare: 't', topic: 0 }])
  const from = log.published
  const large = new Uint8Array(60_000)
  // Longer than what is read at once.
  log.appendGroup(0, new Array<Uint8Array>(8).fill(large))
  for (let count = 0; count < 5; count++) log.append([{ topic: 0, value: large }])
  const steps = new LogWalk(world.disk, log.files, from, 1).advance(log.published, 0)
  const nexts = () => (steps.next().value as WalkStep | undefined)?.topics.map(({ next }) => next)
  expect([nexts(), nexts(), nexts(), nexts()]).toEqual([[8], [12], [13], undefined])
})

it('leaves what is not in memory, what is long, what is damaged, and where a segment ends or begins', async () => {
  const { world, log, walk, from, open } = await followed()
  log.append([{ topic: 0, value }])
  const to = log.published
  world.now.isCold = () => true
  expect(walk.step(from, to)).toBeUndefined()
  world.now.isCold = () => false
  expect(walk.step(from, to)).toBeDefined()
  const bytes = world.disk.bytes(log.files.path(0))
  bytes[to - 4] ^= 1
  expect(walk.step(from, to)).toBeUndefined()
  log.append([{ topic: 0, value: new Uint8Array(70_000) }])
  expect(walk.step(to, log.published)).toBeUndefined()
  const last = log.published
  log.roll()
  expect(walk.step(last, log.published)).toBeUndefined()
  const begin = log.published
  log.append([{ topic: 0, value }])
  await open(begin)
  expect(walk.step(begin, log.published)).toBeDefined()
  expect(world.now.openCount).toBe(1)
})

it('keeps no file of a segment that is gone, nor any when it is closed', async () => {
  const { world, log, walk, from, open } = await followed()
  walk.dropBelow(log.files.base(1) - 8)
  expect(world.now.openCount).toBe(1)
  walk.dropBelow(log.files.base(1))
  await undefined
  expect(world.now.openCount).toBe(0)
  await open()
  walk.step(from, from)
  walk.close()
  for (let turn = 0; turn < 4; turn++) await undefined
  expect(world.now.openCount).toBe(0)
})
