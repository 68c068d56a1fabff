import { expect, it } from 'vitest'
import { maxGroups } from '../../../src/limits.js'
import { encodeGroupFile } from '../../../src/storage/files/group-file.js'
import { GroupKeeper } from '../../../src/threads/reaper/group-keeper.js'
import { GroupWorld, groupsDirectory, groupsPath, testLogId, topicState } from '../../support/groups.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'

const topics = [topicState(0, 't', 100), topicState(1, 'u', 100)]

/** A keeper whose lock is kept as long as `isKept` says. */
function keeperOf(world: GroupWorld, isKept: () => boolean): GroupKeeper {
  const { state, lane, mailboxes, disk } = world
  return new GroupKeeper({
    state,
    application: lane.bell,
    mailboxes,
    disk,
    directory: groupsDirectory,
    logId: testLogId,
    owner: { isKept, isKeptOfLate: isKept },
    flushIntervalMs: 100,
    nowMs: () => 0,
    onFailure: (error) => world.failures.push(error),
  })
}

it('a group that is removed leaves its number to the next one, and no other', async () => {
  const { keeper } = new GroupWorld(new SimulatedDisk(), { topics })
  const made = await Promise.all(['a', 'b', 'c'].map((name) => keeper.create('t', name, 0)))
  expect(made).toEqual([0, 1, 2])
  await keeper.remove(1)
  await keeper.remove(1)
  expect(await keeper.create('u', 'd', 7)).toBe(1)
  expect(await keeper.create('u', 'e', 0)).toBe(3)
})

it('what it has made is there for the next owner, and what it has removed is not', async () => {
  const disk = new SimulatedDisk()
  const { keeper } = new GroupWorld(disk, { topics })
  for (const [topic, name, committed] of [['t', 'a', 5] as const, ['u', 'b', 6] as const, ['t', 'c', 7] as const])
    await keeper.create(topic, name, committed)
  await keeper.remove(0)
  const { opened } = new GroupWorld(disk.copy(), { topics })
  expect(opened.map(({ id, topic, name, state }) => [id, topic, name, state.committed])).toEqual([
    [1, 'u', 'b', 6],
    [2, 't', 'c', 7],
  ])
})

it('a topic is consumed to where the slowest of its groups has come; one without groups never', async () => {
  const disk = new SimulatedDisk()
  const { keeper } = new GroupWorld(disk, { topics })
  for (const committed of [50, 20, 30]) await keeper.create('t', `g${committed}`, committed)
  const next = new GroupWorld(disk.copy(), { topics })
  expect([0, 1].map((topic) => next.keeper.consumedTo(topic))).toEqual([20, undefined])
})

it('more groups than there are cells are refused, and one that is removed makes room', async () => {
  const disk = new SimulatedDisk()
  const all = Array.from({ length: maxGroups }, (_, id) => ({
    id,
    topic: 't',
    name: `g${id}`,
    sequence: 1,
    state: { committed: 0, ranges: [] },
  }))
  disk.put(groupsPath, encodeGroupFile(all, testLogId))
  const { keeper, opened } = new GroupWorld(disk, { topics })
  expect(opened.length).toBe(maxGroups)
  await expect(keeper.create('t', 'one more', 0)).rejects.toMatchObject({ code: 'BOOKEND_NO_SPACE' })
  await keeper.remove(maxGroups >> 1)
  expect(await keeper.create('t', 'one more', 0)).toBe(maxGroups >> 1)
})

it('without the lock groups are neither made nor removed, and nothing is written', async () => {
  const world = new GroupWorld(new SimulatedDisk(), { topics })
  let isKept = true
  const keeper = keeperOf(world, () => isKept)
  const id = await keeper.create('t', 'a', 0)
  const before = world.disk.fingerprint()
  isKept = false
  await expect(keeper.create('t', 'b', 0)).rejects.toMatchObject({ code: 'BOOKEND_LOCKED' })
  await expect(keeper.remove(id)).rejects.toMatchObject({ code: 'BOOKEND_LOCKED' })
  expect(world.disk.fingerprint()).toBe(before)
})

it('a change that fails does not keep the next one from being tried', async () => {
  const world = new GroupWorld(new SimulatedDisk(), { topics })
  let isKept = false
  const keeper = keeperOf(world, () => isKept)
  await expect(keeper.create('t', 'a', 0)).rejects.toMatchObject({ code: 'BOOKEND_LOCKED' })
  isKept = true
  expect(await keeper.create('t', 'a', 0)).toBe(0)
})

it('for whoever only looks nothing is put back that is ahead of its topic; for the owner it is', async () => {
  const disk = new SimulatedDisk()
  const { keeper } = new GroupWorld(disk, { topics })
  await keeper.create('t', 'ahead', 80)
  const cut = [topicState(0, 't', 10)]
  const committed = (world: GroupWorld) => world.opened.map(({ state }) => state.committed)
  const before = disk.fingerprint()
  expect(committed(new GroupWorld(disk, { topics: cut, readOnly: true }))).toEqual([10])
  expect(disk.fingerprint()).toBe(before)
  expect(committed(new GroupWorld(disk, { topics: cut }))).toEqual([10])
  expect(committed(new GroupWorld(disk, { topics }))).toEqual([10])
})
