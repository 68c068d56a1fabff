import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { groupCellAt, groupRecordAt, groupSectorBytes } from '../../../src/format/group-layout.js'
import { nodeDisk } from '../../../src/storage/files/disk.js'
import { GroupFile } from '../../../src/storage/files/group-file.js'
import { testLogId } from '../../support/groups.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'

const directory = '/log'
const where = `${directory}/groups`
const identity = { topic: 'orders', name: 'billing' }

function state(committed: number) {
  return { committed, ranges: [{ first: committed + 2, end: committed + 5 }] }
}

/** A file with one group that was written twice: sequence 1 says 10, sequence 2 says 20. */
function sample(): { disk: SimulatedDisk; file: GroupFile } {
  const disk = new SimulatedDisk()
  const file = GroupFile.create(disk, directory, testLogId)
  file.writeFirstRecord(0, { sequence: 1, state: state(10) })
  file.writeIdentity(0, identity)
  file.writeRecord(0, { sequence: 2, state: state(20) })
  return { disk, file }
}

function reopened(disk: SimulatedDisk): GroupFile {
  return GroupFile.open(disk, directory, testLogId, 'write') as GroupFile
}

describe('groups file', () => {
  it('is not there until it is made, and then only its owner may read it', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bookend-groups-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    expect(GroupFile.open(nodeDisk, folder, testLogId, 'write')).toBeUndefined()
    const file = GroupFile.create(nodeDisk, folder, testLogId)
    file.writeFirstRecord(2, { sequence: 1, state: state(3) })
    file.writeIdentity(2, identity)
    file.sync()
    file.close()
    expect(statSync(path.join(folder, 'groups')).mode & 0o777).toBe(0o600)
    const again = GroupFile.open(nodeDisk, folder, testLogId, 'read')
    expect(again?.read()).toEqual({
      groups: [{ id: 2, ...identity, sequence: 1, state: state(3) }],
      damages: [],
      isHeaderSound: true,
    })
    again?.close()
  })

  it('is made anew where a crash left half of one', () => {
    const disk = new SimulatedDisk()
    disk.put(`${where}.new`, new Uint8Array(7))
    GroupFile.create(disk, directory, testLogId)
    expect(disk.has(`${where}.new`)).toBe(false)
    expect(reopened(disk).read()).toEqual({ groups: [], damages: [], isHeaderSound: true })
  })

  it('has the newer of the two records, in whichever order they came', () => {
    const { disk, file } = sample()
    expect(reopened(disk).read().groups).toEqual([{ id: 0, ...identity, sequence: 2, state: state(20) }])
    file.writeRecord(0, { sequence: 3, state: state(30) })
    expect(reopened(disk).read().groups).toEqual([{ id: 0, ...identity, sequence: 3, state: state(30) }])
  })

  it('has the newer one across the wrap of the sequence', () => {
    const { disk, file } = sample()
    file.writeRecord(0, { sequence: 2 ** 32 - 1, state: state(30) })
    file.writeRecord(0, { sequence: 2, state: state(40) })
    expect(reopened(disk).read().groups[0].state).toEqual(state(40))
  })

  it('goes on from the older record wherever the newer one is damaged, and says so', () => {
    for (let byte = 0; byte < groupSectorBytes; byte++) {
      const { disk } = sample()
      disk.bytes(where)[groupRecordAt(0, 2) + byte] ^= 1 << (byte & 7)
      const { groups, damages } = reopened(disk).read()
      expect(groups).toEqual([{ id: 0, ...identity, sequence: 1, state: state(10) }])
      expect(damages.map(({ what }) => what)).toEqual([expect.stringContaining('group billing of topic orders')])
    }
  })

  it('lets a group with two damaged records begin anew: messages may come again, none is passed over', () => {
    const { disk } = sample()
    for (const sequence of [1, 2]) disk.bytes(where)[groupRecordAt(0, sequence) + 9] ^= 4
    const { groups, damages } = reopened(disk).read()
    expect(groups).toEqual([{ id: 0, ...identity, sequence: 0, state: { committed: 0, ranges: [] } }])
    expect(damages).toHaveLength(1)
  })

  it('loses a group whose identity is damaged, and no other', () => {
    const { disk, file } = sample()
    file.writeFirstRecord(1, { sequence: 1, state: state(7) })
    file.writeIdentity(1, { topic: 'orders', name: 'other' })
    disk.bytes(where)[groupCellAt(0) + 17] ^= 1
    const { groups, damages } = reopened(disk).read()
    expect(groups.map(({ name }) => name)).toEqual(['other'])
    expect(damages.map(({ what }) => what)).toEqual([expect.stringContaining('cell 0')])
  })

  it('believes no cell that stands in the place of another', () => {
    const { disk, file } = sample()
    file.writeFirstRecord(1, { sequence: 1, state: state(7) })
    const bytes = disk.bytes(where)
    bytes.copyWithin(groupCellAt(1), groupCellAt(0), groupCellAt(1))
    const { groups, damages } = reopened(disk).read()
    expect(groups.map(({ id }) => id)).toEqual([0])
    expect(damages.map(({ what }) => what)).toEqual([expect.stringContaining('cell 1')])
  })

  it('leaves nothing of its last owner in a cell that is used again', () => {
    const { disk, file } = sample()
    file.writeIdentity(0, undefined)
    expect(reopened(disk).read()).toEqual({ groups: [], damages: [], isHeaderSound: true })
    file.writeFirstRecord(0, { sequence: 1, state: state(3) })
    file.writeIdentity(0, { topic: 'orders', name: 'next' })
    const { groups } = reopened(disk).read()
    expect(groups).toEqual([{ id: 0, topic: 'orders', name: 'next', sequence: 1, state: state(3) }])
  })

  it('keeps its groups where the header is damaged, and can mend it', () => {
    const { disk } = sample()
    disk.bytes(where)[3] ^= 1
    const file = reopened(disk)
    const { groups, damages, isHeaderSound } = file.read()
    expect({ names: groups.map(({ name }) => name), isHeaderSound }).toEqual({
      names: ['billing'],
      isHeaderSound: false,
    })
    expect(damages.map(({ what }) => what)).toEqual([expect.stringContaining('header')])
    file.writeHeader()
    expect(reopened(disk).read().isHeaderSound).toBe(true)
  })

  it('of another version is refused', () => {
    const { disk } = sample()
    const bytes = disk.bytes(where)
    const view = new DataView(bytes.buffer)
    view.setUint32(8, 9, true)
    // Its own checksum must hold: else it is damage, not a version.
    expect(reopened(disk).read().isHeaderSound).toBe(false)
    view.setUint32(4, crc32(bytes.subarray(8, 64)), true)
    expect(() => reopened(disk)).toThrow(expect.objectContaining({ code: 'BOOKEND_FORMAT', file: where }))
  })

  it('reads on where the device cannot read one cell', () => {
    const { disk, file } = sample()
    file.writeFirstRecord(1, { sequence: 1, state: state(7) })
    file.writeIdentity(1, { topic: 'orders', name: 'other' })
    const broken = reopened(disk)
    const open = disk.open.bind(disk)
    disk.open = (name, access) => {
      const inner = open(name, access)
      if (inner === undefined) return undefined
      const read = (at: number, length: number) => {
        if (at === groupCellAt(0)) throw Object.assign(new Error('EIO'), { code: 'EIO', errno: -5 })
        return inner.read(at, length)
      }
      return { ...inner, read }
    }
    expect(broken.read().groups).toHaveLength(2)
    const { groups, damages } = reopened(disk).read()
    expect(groups.map(({ name }) => name)).toEqual(['other'])
    expect(damages).toHaveLength(1)
  })
})
