/** A reaper dies while groups are made, committed to and removed: what the next keeper and the writer make of the groups file. */
import { expect, it } from 'vitest'
import { groupRecordAt } from '../../../src/format/group-layout.js'
import { GroupKeeper } from '../../../src/threads/reaper/group-keeper.js'
import { GroupWorld, groupsDirectory, groupsPath, testLogId, topicState } from '../../support/groups.js'
import { Seeded } from '../../support/seeded.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { soleOwner } from '../../support/worlds.js'

const topics = [topicState(0, 't', 2 ** 30)]
const at = (committed: number) => ({ committed, ranges: [] })

async function withGroups(...names: string[]): Promise<GroupWorld> {
  const world = new GroupWorld(new SimulatedDisk(), { topics })
  for (const name of names) {
    const opening = world.registry.open('t', name, () => 0)
    await world.settle()
    await opening
  }
  world.disk.settle()
  return world
}

function nextKeeper({ state, lane, mailboxes, disk }: GroupWorld): GroupKeeper {
  const nowMs = () => 1e6
  return new GroupKeeper({
    state,
    application: lane.bell,
    mailboxes,
    disk,
    directory: groupsDirectory,
    logId: testLogId,
    owner: soleOwner,
    flushIntervalMs: 0,
    nowMs,
    onFailure: () => {},
  })
}

const known = ({ registry }: GroupWorld) => registry.cells()

it('a flush whose outcome nobody has heard is not believed: what was written is written and flushed again', async () => {
  const world = await withGroups('a', 'b')
  const { disk, commits, registry, writer, state } = world
  const before = disk.events.length
  const committing = ['a', 'b'].map((name, index) => {
    const group = registry.known('t', name)
    if (group === undefined) throw new Error('it was made')
    return commits.commit(group, at(10 + index))
  })
  commits.handOver()
  writer.doWork()
  commits.settle()
  await Promise.all(committing)
  // The kernel has dropped the dirty marks of what the device refused, and the dead reaper had the error.
  for (const event of disk.events.slice(before)) if (event.kind === 'write') event.bytes = new Uint8Array(0)
  writer.writeAgain()
  const keeper = nextKeeper(world)
  await keeper.takeOver(known(world))
  keeper.tend()
  await new Promise(setImmediate)
  expect(state.commitFlushed.load()).toBe(state.commitDone.load())
  const image = disk.imageAfter(disk.events.length, new Seeded(1), 'lost')
  const found = new GroupWorld(image, { topics, readOnly: true })
  expect(found.damages).toEqual([])
  expect(found.opened.map((group) => [group.name, group.state.committed])).toEqual([
    ['a', 10],
    ['b', 11],
  ])
})

it('says that the device failed where a record that was written is not there any more', async () => {
  const world = await withGroups('a')
  const { disk, mailboxes, writer, state } = world
  disk.bytes(groupsPath).fill(0, groupRecordAt(0, mailboxes.sequence(0)), groupRecordAt(0, mailboxes.sequence(0)) + 512)
  writer.writeAgain()
  expect(state.writerErrno.load()).toBe(5)
})

it('a group that was being made is made again, in one cell', async () => {
  const world = await withGroups('a')
  // All of it done, but for the answer.
  await world.keeper.create('t', 'b', 7)
  const keeper = nextKeeper(world)
  world.writer.writeAgain()
  await keeper.takeOver(known(world))
  expect(await keeper.create('t', 'b', 7)).toBe(1)
  const { opened, damages } = new GroupWorld(world.disk.copy(), { topics, readOnly: true })
  expect(opened.map(({ id, name, state }) => [id, name, state.committed])).toEqual([
    [0, 'a', 0],
    [1, 'b', 7],
  ])
  expect(damages).toEqual([])
})

it('a group that was being removed does not come back, even if nobody has heard that its removal was flushed', async () => {
  const world = await withGroups('a', 'b')
  const { disk } = world
  const told = known(world)
  const before = disk.events.length
  await world.keeper.remove(1)
  for (const event of disk.events.slice(before)) if (event.kind === 'write') event.bytes = new Uint8Array(0)
  const keeper = nextKeeper(world)
  await keeper.takeOver(told)
  await keeper.remove(1)
  const image = disk.imageAfter(disk.events.length, new Seeded(1), 'lost')
  expect(new GroupWorld(image, { topics, readOnly: true }).opened.map(({ name }) => name)).toEqual(['a'])
})

it('a removal that is asked for again takes nobody with it who was made meanwhile', async () => {
  const world = await withGroups('a', 'b')
  const { commits, registry } = world
  const b = registry.known('t', 'b')
  if (b === undefined) throw new Error('it was made')
  const committing = commits.commit(b, at(5))
  const removing = registry.remove(b)
  // Done by the reaper that dies, but for the answer; and the writer has yet to write what was committed before.
  await world.keeper.remove(1)
  const keeper = nextKeeper(world)
  await keeper.takeOver(known(world))
  // Calls are made again in any order.
  const id = await keeper.create('t', 'c', 3)
  world.keeper = keeper
  await world.settle()
  await Promise.all([committing, removing])
  expect(id).not.toBe(b.id)
  const { opened, damages } = new GroupWorld(world.disk.copy(), { topics, readOnly: true })
  expect(opened.map(({ name, state }) => [name, state.committed])).toEqual([
    ['a', 0],
    ['c', 3],
  ])
  expect(damages).toEqual([])
})

it('at no moment of a takeover is a group without its name', async () => {
  const world = await withGroups('a', 'b', 'c')
  const { disk } = world
  const before = disk.events.length
  await nextKeeper(world).takeOver(known(world))
  for (let event = before; event <= disk.events.length; event++) {
    for (const style of ['kept', 'sectors'] as const) {
      const image = disk.imageAfter(event, new Seeded(event), style)
      const { opened, damages } = new GroupWorld(image, { topics, readOnly: true })
      expect([opened.map(({ name }) => name), damages]).toEqual([['a', 'b', 'c'], []])
    }
  }
})
