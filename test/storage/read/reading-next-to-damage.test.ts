import { describe, expect, it } from 'vitest'
import { decodeFooter, entryBytes, footerBytes } from '../../../src/format/segment-layout.js'
import { RecordLookup } from '../../../src/storage/read/record-lookup.js'
import { payloadOf } from '../../support/frames.js'
import { caught, readAll, recordsOf } from '../../support/model.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

describe('reading next to damage', () => {
  /** Two topics in batches of their own, in turn; returns where each batch begins. */
  function interleaved(rounds: number): {
    log: StorageLog
    world: ReturnType<typeof simulatedWorld>
    starts: number[]
  } {
    const world = simulatedWorld()
    const log = new StorageLog(world)
    log.append([{ declare: 'a', topic: 0 }])
    log.append([{ declare: 'b', topic: 1 }])
    const starts: number[] = []
    for (let round = 0; round < rounds; round++) {
      for (const topic of [0, 1]) {
        starts.push(log.published)
        log.append([{ topic, value: payloadOf(topic, round, 200) }])
      }
    }
    return { log, world, starts }
  }

  it('lookups find what is whole, and nothing of a damaged batch', () => {
    const { log, world, starts } = interleaved(5)
    world.disk.bytes(log.path(0))[starts[4] + 60] ^= 1
    const { bytes, starts: found } = log.lookup.find(0, [4, 2, 0, 7])
    expect(Array.from(found, (start) => start >= 0)).toEqual([true, false, true, false])
    expect(recordsOf(bytes.slice(found[0]), 0, 4, 5)[0].value).toEqual(payloadOf(0, 4, 200))
    expect(recordsOf(bytes.slice(found[2]), 0, 0, 1)[0].value).toEqual(payloadOf(0, 0, 200))
  })

  it('lookups do not believe an index that leads to another record', async () => {
    const { log, world } = interleaved(4)
    log.roll()
    log.flush()
    await log.index()
    expect(log.lookup.find(0, [0, 1, 2, 3]).starts.every((start) => start >= 0)).toBe(true)
    const disk = world.disk.bytes(log.path(0))
    const { entriesAt } = decodeFooter(disk.subarray(-footerBytes), 0, disk.length) ?? { entriesAt: 0 }
    // The entry of record 1 of topic 0 says what that of record 2 says.
    disk.copyWithin(entriesAt + entryBytes, entriesAt + 2 * entryBytes, entriesAt + 3 * entryBytes)
    const again = new RecordLookup(log.files, log.readWindows, log.catalog, {
      published: () => log.published,
      indexed: () => log.indexed,
      trim: () => log.trim,
    })
    expect(Array.from(again.find(0, [0, 1, 2, 3]).starts, (start) => start >= 0)).toEqual([true, false, true, true])
  })

  it('says where the damage is and where reading can go on', () => {
    const { log, world, starts } = interleaved(5)
    world.disk.bytes(log.path(0))[starts[4] + 60] ^= 1
    const error = caught(() => readAll(log.reader, 0, 0, 5, 'dense'))
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 2, position: starts[4], file: log.path(0), next: 3 })
    expect(readAll(log.reader, 0, 0, 2, 'dense')).toHaveLength(2)
    expect(readAll(log.reader, 0, 3, 5, 'dense')).toHaveLength(2)
    expect(caught(() => log.reader.readOne(0, 2))).toMatchObject({
      code: 'BOOKEND_CORRUPT',
      position: starts[4],
      next: 3,
    })
  })

  it('delivers a topic whose own records are whole, past a damaged batch of another topic', () => {
    const { log, world, starts } = interleaved(6)
    // Read one chunk first, so that reading goes on behind it without the index.
    const first = log.reader.read({ topic: 0, offset: 0, to: 2 })
    world.disk.bytes(log.path(0))[starts[5] + 60] ^= 1
    const rest = log.reader.read({ topic: 0, offset: 2, to: 6, resume: first.resume })
    const found = recordsOf(rest.bytes, 0, 2, rest.next)
    const more =
      rest.next < 6
        ? recordsOf(log.reader.read({ topic: 0, offset: rest.next, to: 6, resume: rest.resume }).bytes, 0, rest.next, 6)
        : []
    expect([...found, ...more].map(({ offset }) => offset)).toEqual([2, 3, 4, 5])
  })

  it('keeps the same promises in a sealed segment with an index', async () => {
    const { log, world, starts } = interleaved(6)
    log.roll()
    await log.index()
    world.disk.bytes(log.path(0))[starts[4] + 60] ^= 1
    expect(caught(() => readAll(log.reader, 0, 0, 6, 'dense'))).toMatchObject({
      code: 'BOOKEND_CORRUPT',
      offset: 2,
      position: starts[4],
      next: 3,
    })
    expect(caught(() => log.reader.readOne(0, 2))).toMatchObject({
      code: 'BOOKEND_CORRUPT',
      offset: 2,
      position: starts[4],
      file: log.path(0),
      next: 3,
    })
    expect(readAll(log.reader, 0, 3, 6, 'dense')).toHaveLength(3)
    expect(readAll(log.reader, 1, 0, 6, 'dense')).toHaveLength(6)
    expect(readAll(log.reader, 1, 0, 6, 'sparse')).toHaveLength(6)
  })

  it('finds a record in spite of an index entry that lies', async () => {
    const { log, world } = interleaved(4)
    log.roll()
    await log.index()
    const bytes = world.disk.bytes(log.path(0))
    const entriesAt = new DataView(bytes.buffer).getUint32(bytes.length - 64 + 24, true)
    for (const lie of [0, 8, 64, 4_096, 2 ** 32 - 8, 2 ** 31]) {
      new DataView(bytes.buffer).setUint32(entriesAt, lie, true)
      new DataView(bytes.buffer).setUint32(entriesAt + 4, lie + 48, true)
      const reopened = new StorageLog(simulatedWorld(world.disk.copy()))
      const found = reopened.reader.readOne(0, 0)
      if (found === undefined) throw new Error('the record is there')
      expect(recordsOf(found, 0, 0, 1)[0].value).toEqual(payloadOf(0, 0, 200))
    }
  })

  it('reports a segment that was deleted or truncated under the log, and delivers the others', () => {
    const { log, world } = interleaved(3)
    log.roll()
    log.append([{ topic: 0, value: payloadOf(0, 3, 10) }])
    log.flush()
    world.disk.truncate(log.path(0), 4_096 * 100)
    // Still mapped: what lies behind the new end is refused by the memory, not read.
    log.readWindows.closeAll()
    expect(caught(() => readAll(log.reader, 0, 0, 3, 'dense')).code).toBe('BOOKEND_CORRUPT')
    expect(readAll(log.reader, 0, 3, 4, 'dense')).toHaveLength(1)
    world.disk.drop(log.path(0))
    expect(caught(() => readAll(log.reader, 0, 0, 3, 'dense')).code).toBe('BOOKEND_CORRUPT')
    expect(readAll(log.reader, 0, 3, 4, 'dense')).toHaveLength(1)
  })
})
