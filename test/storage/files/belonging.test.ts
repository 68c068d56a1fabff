/** Files of several logs in one directory, as a restore that was mixed up leaves them. */
import { describe, expect, it } from 'vitest'
import { BookendError } from '../../../src/errors.js'
import { controlRecordAt, encodeControlFile, encodeControlRecord } from '../../../src/format/control-layout.js'
import { noFeatures } from '../../../src/format/features.js'
import { logMarkOf, newLogId, unknownLogId } from '../../../src/format/log-id.js'
import { decodeSegmentHeader } from '../../../src/format/segment-layout.js'
import { GroupFile } from '../../../src/storage/files/group-file.js'
import { type OpenLog, openLog } from '../../../src/storage/life/open-log.js'
import { payloadOf } from '../../support/frames.js'
import { checkedLog, readWhatIsLeft, repairedLog } from '../../support/repair.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { bootA, logIdOf, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { type SimulatedWorld, simulatedWorld } from '../../support/worlds.js'

const records = 70
const contentOf = (topic: string, index: number) => payloadOf(topic.length, index, 50_000)
const control = '/log/control'
const groups = '/log/groups'
const path = (segment: number) => `/log/log/${String(segment * testSegmentBytes).padStart(20, '0')}.seg`

/** A log of one topic in four segments, closed in order. */
async function logOf(topic: string, id = newLogId(), deleteBelow = 0): Promise<SimulatedWorld> {
  const world = simulatedWorld()
  const identity = { version: 1, segmentBytes: testSegmentBytes, created: 1, features: noFeatures, id }
  world.disk.put(control, encodeControlFile(identity))
  const log = new StorageLog(world)
  log.append([{ declare: topic, topic: 0 }])
  for (let index = 0; index < records; index++) log.append([{ topic: 0, value: contentOf(topic, index) }])
  await log.index()
  if (deleteBelow > 0) log.deleteBelow(deleteBelow)
  log.close(true)
  return world
}

function withGroup(world: SimulatedWorld, committed: number): SimulatedWorld {
  const file = GroupFile.create(world.disk, world.directory, logIdOf(world))
  file.writeFirstRecord(0, { sequence: 1, state: { committed, ranges: [] } })
  file.writeIdentity(0, { topic: 'orders', name: 'billing' })
  file.close()
  return world
}

function opened({ disk, directory, plainMemory }: SimulatedWorld, readOnly = false): OpenLog {
  const log = openLog({ disk, directory, segmentBytes: undefined, readOnly, now: () => 1, memory: plainMemory })
  log.control.close()
  return log
}

/** Owner and reader are told which file it is, and nothing is changed. */
function expectRefused(world: SimulatedWorld, file: string): void {
  const before = world.disk.fingerprint()
  for (const readOnly of [false, true]) {
    let error: unknown
    try {
      opened(world, readOnly)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(BookendError)
    expect(error).toMatchObject({ code: 'BOOKEND_FORMAT', file })
  }
  expect(world.disk.fingerprint() === before).toBe(true)
}

/** Everything but what is lost, and nothing that is not its own. */
function expectReadable(world: SimulatedWorld, topic: string, lost: readonly number[]): void {
  const values = Array.from({ length: records }, (_, index) => contentOf(topic, index))
  const found = readWhatIsLeft(new StorageLog(simulatedWorld(world.disk)).reader, 0, values, 0, records)
  expect(values.map((_, index) => index).filter((index) => !found.has(index))).toEqual(lost)
}

function put(disk: SimulatedDisk, file: string, from: SimulatedDisk): void {
  disk.put(file, from.bytes(file))
}

/** Offsets of the records that a segment holds. */
function recordsIn(world: SimulatedWorld, segment: number): number[] {
  const [row] = checkedLog(world).reports[segment].topics
  return Array.from({ length: row.next - row.first }, (_, index) => row.first + index)
}

describe('a log whose control file is another one’s', () => {
  it('is refused, and a repair makes a control file for its segments', async () => {
    const world = await logOf('orders')
    const mark = logMarkOf(logIdOf(world))
    // The other has deleted more segments than this one has.
    put(world.disk, control, (await logOf('payroll', newLogId(), 3)).disk)
    expectRefused(world, control)
    expect(checkedLog(world).report.damages).toMatchObject([{ kind: 'control', file: control }])
    expect(repairedLog(world).left).toEqual([])
    expect(checkedLog(world).report.damages).toEqual([])
    expect(logMarkOf(logIdOf(world))).toBe(mark)
    expect(opened(world).recovered.topics).toMatchObject([{ name: 'orders', first: 0, next: records }])
    expectReadable(world, 'orders', [])
  })

  it('is refused where neither has an id, if it would delete everything', async () => {
    const world = await logOf('orders', unknownLogId)
    world.disk.drop(path(3))
    put(world.disk, control, (await logOf('payroll', unknownLogId, 3)).disk)
    expectRefused(world, control)
    repairedLog(world)
    expect(opened(world).recovered.topics).toMatchObject([{ name: 'orders', first: 0 }])
  })

  it('is refused where it says that more is trimmed than was durable', async () => {
    const world = await logOf('orders')
    const record = {
      epoch: 9,
      isClean: false,
      time: 1,
      bootId: bootA,
      published: 3 << 20,
      durable: 2 << 20,
      trim: 3 << 20,
    }
    for (const at of controlRecordAt) world.disk.bytes(control).set(encodeControlRecord({ ...record, sequence: 9 }), at)
    expectRefused(world, control)
    expect(checkedLog(world).report.damages).toMatchObject([{ kind: 'control', file: control }])
    repairedLog(world)
    expect(opened(world).recovered.topics).toMatchObject([{ name: 'orders', first: 0, next: records }])
  })
})

describe('a segment of another log', () => {
  it('is neither delivered nor deleted: a repair sets it aside, and what it replaced stays lost', async () => {
    for (const segment of [0, 1, 3]) {
      const world = await logOf('orders')
      const lost = recordsIn(world, segment)
      const other = await logOf('payroll')
      put(world.disk, path(segment), other.disk)
      expectRefused(world, path(segment))
      expect(checkedLog(world).report.damages).toContainEqual(
        expect.objectContaining({ kind: 'foreign', file: path(segment) }),
      )
      expect(repairedLog(world).left).toEqual([])
      expect(Buffer.compare(world.disk.bytes(`${path(segment)}.aside`), other.disk.bytes(path(segment)))).toBe(0)
      expect(checkedLog(world).report.damages).toEqual([])
      opened(world)
      expectReadable(world, 'orders', lost)
    }
  })

  it('is found behind the end as well', async () => {
    const world = await logOf('orders')
    world.disk.put(path(4), (await logOf('payroll')).disk.bytes(path(0)))
    expectRefused(world, path(4))
    expect(checkedLog(world).report.damages).toMatchObject([{ kind: 'foreign', file: path(4) }])
    expect(repairedLog(world).left).toEqual([])
    expect(world.disk.has(`${path(4)}.aside`)).toBe(true)
    opened(world)
    expectReadable(world, 'orders', [])
  })

  it('is known by the names of its topics where neither log has an id', async () => {
    const world = await logOf('orders', unknownLogId)
    put(world.disk, path(2), (await logOf('payroll', unknownLogId)).disk)
    expectRefused(world, path(2))
    expect(checkedLog(world).report.damages).toMatchObject([{ kind: 'foreign', file: path(2) }])
    // Which of the two is the stranger is for people to say.
    expect(repairedLog(world).left).toMatchObject([{ kind: 'foreign' }])
  })
})

it('a groups file of another log is refused; a repair sets it aside, and the groups begin anew', async () => {
  const world = await logOf('orders')
  put(world.disk, groups, withGroup(await logOf('orders'), 50).disk)
  expectRefused(world, groups)
  expect(checkedLog(world).report.damages).toMatchObject([{ kind: 'groups', file: groups }])
  expect(repairedLog(world).left).toEqual([])
  expect(checkedLog(world).report).toMatchObject({ damages: [], groups: 0 })
  opened(world)
})

it('its own groups file is not refused', async () => {
  const world = withGroup(await logOf('orders'), 50)
  opened(world)
  expect(checkedLog(world).report).toMatchObject({ damages: [], groups: 1 })
})

it('what stands in the way and does not say whose it is gets another name, and is not deleted', async () => {
  const world = await logOf('orders', newLogId(), 2)
  const damaged = (await logOf('orders')).disk.bytes(path(0)).fill(0x5a, 0, 64)
  // Below the trim position, and where the next segment comes.
  for (const segment of [0, 4]) world.disk.put(path(segment), damaged)
  const { recovered } = opened(world)
  expect(recovered.setAside).toEqual([`${path(0)}.aside`, `${path(4)}.aside`])
  for (const file of recovered.setAside) expect(Buffer.compare(world.disk.bytes(file), damaged)).toBe(0)
})

it('a log that lost its control file has its mark back after a repair', async () => {
  const world = withGroup(await logOf('orders'), 50)
  const mark = logMarkOf(logIdOf(world))
  world.disk.drop(control)
  repairedLog(world)
  expect(logMarkOf(logIdOf(world))).toBe(mark)
  expect(checkedLog(world).report).toMatchObject({ damages: [], groups: 1 })
  opened(world)
})

it('a segment that is made, or made anew, carries the mark of its log', async () => {
  const world = await logOf('orders')
  world.disk.drop(path(1))
  repairedLog(world)
  for (const segment of [0, 1, 3])
    expect(decodeSegmentHeader(world.disk.bytes(path(segment)))?.logMark).toBe(logMarkOf(logIdOf(world)))
})
