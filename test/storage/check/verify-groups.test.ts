/** The groups file, checked and repaired. */
import { expect, it } from 'vitest'
import { groupCellAt, groupRecordAt, groupSectorBytes } from '../../../src/format/group-layout.js'
import { lookAtGroups, verifyGroups } from '../../../src/storage/check/verify-groups.js'
import { GroupFile } from '../../../src/storage/files/group-file.js'
import { payloadOf } from '../../support/frames.js'
import { groupsPath as where } from '../../support/groups.js'
import { checkedLog, repairedLog } from '../../support/repair.js'
import { logIdOf, StorageLog } from '../../support/storage-log.js'
import { type SimulatedWorld, simulatedWorld } from '../../support/worlds.js'

const one = { committed: 4, ranges: [{ first: 6, end: 8 }] }
const two = { committed: 10, ranges: [] }

/** A topic of ten messages with the groups `one`, which was committed three times, and `two`. */
function sample(isClean = true): SimulatedWorld {
  const world = simulatedWorld()
  const log = new StorageLog(world)
  log.append([{ declare: 'orders', topic: 0 }])
  for (let offset = 0; offset < 10; offset++) log.append([{ topic: 0, value: payloadOf(0, offset, 100) }])
  log.close(isClean)
  const file = GroupFile.create(world.disk, world.directory, logIdOf(world))
  const make = (id: number, name: string) => file.writeIdentity(id, { topic: 'orders', name })
  file.writeFirstRecord(0, { sequence: 1, state: { committed: 0, ranges: [] } })
  make(0, 'one')
  file.writeRecord(0, { sequence: 2, state: { committed: 3, ranges: [] } })
  file.writeRecord(0, { sequence: 3, state: one })
  // Cell 1 is nobody's.
  file.writeFirstRecord(2, { sequence: 1, state: two })
  make(2, 'two')
  file.sync()
  file.close()
  return world
}

function groupsOf(world: SimulatedWorld) {
  const file = GroupFile.open(world.disk, world.directory, logIdOf(world), 'read')
  if (file === undefined) throw new Error('the file is there')
  return file.read().groups.map(({ id, name, state }) => ({ id, name, state }))
}

const sound = [
  { id: 0, name: 'one', state: one },
  { id: 2, name: 'two', state: two },
]

it('in order, nothing is reported, and a repair leaves it alone', () => {
  for (const world of [sample(), sample(false)]) {
    expect(checkedLog(world).report).toMatchObject({ damages: [], remarks: [], groups: 2 })
    const before = world.disk.fingerprint()
    expect(repairedLog(world).groups).toBeUndefined()
    expect(world.disk.fingerprint()).toBe(before)
  }
})

it('any damaged byte of a header, an identity or a record is reported, and mended without touching other groups', () => {
  const size = sample().disk.bytes(where).length
  const checked = [
    [0, 64],
    [groupCellAt(0), groupSectorBytes],
    [groupRecordAt(0, 2), groupSectorBytes],
    [groupRecordAt(0, 3), groupSectorBytes],
    [groupCellAt(2), groupSectorBytes],
    [groupRecordAt(2, 1), groupSectorBytes],
  ]
  for (const [start, length] of checked) {
    for (let at = start; at < start + length; at += 7) {
      const world = sample()
      world.disk.bytes(where)[at] ^= 1 << (at & 7)
      const whole = world.disk.bytes(where).slice()
      const { damages } = checkedLog(world).report
      expect(damages).toMatchObject([{ kind: 'groups', file: where }])
      const [{ position, bytes }] = damages
      expect(position <= at && at < position + bytes, `${at}`).toBe(true)

      const plan = repairedLog(world)
      expect(plan).toMatchObject({ left: [], segments: [], setAside: [{ file: where, from: 0, to: size }] })
      expect(checkedLog(world).report.damages).toEqual([])
      expect(Buffer.compare(world.disk.bytes('/log/damaged/1970-01-01T00-00-00.000Z/groups'), whole)).toBe(0)
      const isIn = (at0: number) => at >= at0 && at < at0 + groupSectorBytes
      const expected = structuredClone(sound)
      // The newer record of one is gone: the one before it counts; two had only one, and begins anew.
      if (isIn(groupRecordAt(0, 3))) expected[0].state = { committed: 3, ranges: [] }
      if (isIn(groupRecordAt(2, 1))) expected[1].state = { committed: 0, ranges: [] }
      const lost = isIn(groupCellAt(0)) ? 0 : isIn(groupCellAt(2)) ? 2 : -1
      expect(groupsOf(world)).toEqual(expected.filter(({ id }) => id !== lost))
    }
  }
})

it('cut short or overwritten, it is made anew from what is left', () => {
  for (const [change, left] of [
    [(world: SimulatedWorld) => world.disk.truncate(where, groupCellAt(2) + 18), [sound[0]]],
    [(world: SimulatedWorld) => world.disk.truncate(where, 6), []],
    [(world: SimulatedWorld) => world.disk.bytes(where).fill(9), []],
  ] as const) {
    const world = sample()
    change(world)
    expect(checkedLog(world).report.damages.length).toBeGreaterThan(0)
    expect(repairedLog(world).left).toEqual([])
    expect(checkedLog(world).report).toMatchObject({ damages: [], groups: left.length })
    expect(groupsOf(world)).toEqual(left)
  }
})

it('a group ahead of its topic is damage in a log that was closed in order, and is put back', () => {
  const ahead = { committed: 9, ranges: [{ first: 11, end: 12 }] }
  const make = (isClean: boolean) => {
    const world = sample(isClean)
    const file = GroupFile.open(world.disk, world.directory, logIdOf(world), 'write')
    file?.writeRecord(0, { sequence: 4, state: ahead })
    file?.close()
    return world
  }
  const world = make(true)
  expect(checkedLog(world).report.damages).toMatchObject([{ kind: 'groups', position: groupRecordAt(0, 4) }])
  repairedLog(world)
  expect(checkedLog(world).report).toMatchObject({ damages: [], remarks: [] })
  expect(groupsOf(world)[0].state).toEqual({ committed: 9, ranges: [] })
  // After a power cut it may be so, and the next owner mends it.
  const crashed = checkedLog(make(false))
  expect(crashed.report).toMatchObject({ damages: [], remarks: [{ kind: 'ahead' }] })
  expect(crashed.groups.groups[0].state).toEqual({ committed: 9, ranges: [] })
  // Of an open log the end is known later than its groups.
  expect(checkedLog(make(true), true).report).toMatchObject({ damages: [], remarks: [] })
})

it('of an open log only what stays damaged is reported', async () => {
  const world = sample()
  const { disk } = world
  const { extent } = checkedLog(world, true)
  const torn = groupRecordAt(0, 3) + 20
  disk.bytes(where)[torn] ^= 1
  expect(lookAtGroups(disk, extent).damages).toHaveLength(1)
  const verified = verifyGroups(disk, extent)
  disk.bytes(where)[torn] ^= 1
  expect((await verified).damages).toEqual([])
  disk.bytes(where)[torn] ^= 1
  expect((await verifyGroups(disk, extent)).damages).toHaveLength(1)
})
