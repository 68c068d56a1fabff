import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { batchHeaderBytes, readBatchHeader, writeBatchHeader } from '../../../src/format/batch-layout.js'
import { frameWord } from '../../../src/format/frame-layout.js'
import { decodeFooter, encodeFooter, footerBytes } from '../../../src/format/segment-layout.js'
import { findExtent } from '../../../src/storage/check/log-extent.js'
import { SalvageWindow } from '../../../src/storage/files/salvage-window.js'
import { LiveIndex } from '../../../src/storage/index/live-index.js'
import { payloadOf } from '../../support/frames.js'
import { checkedLog } from '../../support/repair.js'
import { bootA, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

/** One topic, one record a batch, in one unsealed segment. */
function sample(count = 6) {
  const world = simulatedWorld()
  let now = 1_000
  const log = new StorageLog(world, { now: () => now++ })
  log.append([{ declare: 'orders', topic: 0 }])
  const starts: number[] = []
  for (let offset = 0; offset < count; offset++) {
    starts.push(log.published)
    log.append([{ topic: 0, value: payloadOf(0, offset, 100) }])
  }
  log.close(true)
  return { world, starts, bytes: world.disk.bytes(log.path(0)) }
}

/** Changes words of the frame of a batch, and makes its checksums right again: what a bug would write. */
function forge(bytes: Uint8Array, start: number, word: number, value: number, count?: number): void {
  const header = readBatchHeader(bytes, start, start, testSegmentBytes)
  if (header === undefined) throw new Error('a batch stands here')
  const words = new Uint32Array(bytes.buffer)
  words[(start + batchHeaderBytes) / 4 + word] = value
  const bodyCrc = crc32(bytes.subarray(start + batchHeaderBytes, start + header.bytes))
  const { time, epoch, topic, flags, position } = header
  writeBatchHeader(
    bytes,
    words,
    start,
    header.bytes,
    count ?? header.count,
    position,
    time,
    epoch,
    topic,
    flags,
    bodyCrc,
  )
}

describe('a batch whose checksums hold', () => {
  const cases: Record<string, { forge: (bytes: Uint8Array, start: number) => void; kind: string; what: RegExp }> = {
    'skips an offset': {
      forge: (bytes, at) => forge(bytes, at, frameWord.offsetLow, 9),
      kind: 'offsets',
      what: /missing/,
    },
    'repeats an offset': {
      forge: (bytes, at) => forge(bytes, at, frameWord.offsetLow, 0),
      kind: 'offsets',
      what: /goes back/,
    },
    'names another topic': {
      forge: (bytes, at) => forge(bytes, at, frameWord.topic, 3),
      kind: 'frames',
      what: /another topic/,
    },
    'has a frame that leaves it': {
      forge: (bytes, at) => forge(bytes, at, frameWord.length, 4_000),
      kind: 'frames',
      what: /leaves its batch/,
    },
    'has a frame of length 2^32 - 1': {
      forge: (bytes, at) => forge(bytes, at, frameWord.length, 0xffffffff),
      kind: 'frames',
      what: /leaves its batch/,
    },
    'counts wrong': {
      forge: (bytes, at) => forge(bytes, at, frameWord.topic, 0, 7),
      kind: 'frames',
      what: /its header says 7/,
    },
    'has a frame of no kind in the place of a message': {
      forge: (bytes, at) => forge(bytes, at, frameWord.tail, 9 << 16),
      kind: 'frames',
      what: /its header says/,
    },
    'has a key beyond its frame': {
      forge: (bytes, at) => {
        const tail = new Uint32Array(bytes.buffer)[(at + batchHeaderBytes) / 4 + frameWord.tail]
        new Uint32Array(bytes.buffer)[(at + batchHeaderBytes) / 4 + 4] = 5_000
        forge(bytes, at, frameWord.tail, tail | (1 << 24))
      },
      kind: 'frames',
      what: /key or the headers/,
    },
  }

  it.each(Object.entries(cases))('and %s is reported', (_, { forge: change, kind, what }) => {
    const { world, starts, bytes } = sample()
    change(bytes, starts[3])
    const { damages } = checkedLog(world).report
    expect(damages.length).toBeGreaterThan(0)
    expect(damages[0]).toMatchObject({
      kind,
      position: kind === 'offsets' && damages[0].bytes === 0 ? expect.any(Number) : starts[3],
    })
    expect(damages[0].what).toMatch(what)
  })

  it('and is one of very many like it makes a bounded report', () => {
    const { world, starts, bytes } = sample(1_000)
    for (const start of starts) forge(bytes, start, frameWord.topic, 3)
    expect(checkedLog(world).report.damages.length).toBeLessThanOrEqual(400)
  })
})

it('a time that goes back is reported: only the first records of a topic may be older', () => {
  const { world, starts, bytes } = sample()
  const header = readBatchHeader(bytes, starts[3], starts[3], testSegmentBytes)
  if (header === undefined) throw new Error('a batch stands here')
  const { bytes: size, count, position, time, epoch, topic, flags, bodyCrc } = header
  writeBatchHeader(
    bytes,
    new Uint32Array(bytes.buffer),
    starts[3],
    size,
    count,
    position,
    time - 5,
    epoch,
    topic,
    flags,
    bodyCrc,
  )
  expect(checkedLog(world).report.damages).toMatchObject([
    { kind: 'frames', position: starts[3], what: expect.stringMatching(/time/) },
  ])
})

it('a directory that states other bytes of a topic than its messages have is reported', async () => {
  const { world } = sample()
  const log = new StorageLog(world)
  log.roll()
  await log.index()
  log.close(true)
  expect(checkedLog(world).report.damages).toEqual([])
  const bytes = world.disk.bytes(log.path(0))
  const footer = decodeFooter(bytes.subarray(testSegmentBytes - footerBytes), 0, testSegmentBytes)
  if (footer === undefined) throw new Error('the segment is indexed')
  const directory = bytes.subarray(footer.directoryAt, testSegmentBytes - footerBytes)
  directory[36] ^= 8
  bytes.set(encodeFooter({ ...footer, directoryCrc: crc32(directory) }), testSegmentBytes - footerBytes)
  expect(checkedLog(world).report.damages).toMatchObject([{ kind: 'index' }])
})

describe('a declaration beyond the last record of its topic', () => {
  /** One record, then a declaration that states `next`. */
  function indexWith(next: number): LiveIndex {
    const { world } = sample(0)
    const log = new StorageLog(world)
    log.append([{ topic: 0, value: payloadOf(0, 0, 10) }])
    const start = log.published
    log.tail.trim(0, 1)
    log.publish()
    forge(world.disk.bytes(log.path(0)), start, frameWord.offsetLow, next)
    const index = new LiveIndex(0, testSegmentBytes)
    index.catchUp(world.plainMemory.open(log.path(0), testSegmentBytes, 'read'), log.published, false)
    expect(index.damages).toEqual([])
    return index
  }

  it('says where the topic goes on: entries of zeros stand for what is missing', () => {
    const index = indexWith(2_000)
    const entries = index.topics.get(0)
    expect(entries?.count).toBe(2_000)
    expect(index.entryCount).toBe(2_000)
    expect(entries?.words[0]).toBeGreaterThan(0)
    expect(entries?.words.subarray(4, 8_000).every((word) => word === 0)).toBe(true)
  })

  it('is not believed beyond what a segment can hold', () => {
    expect(indexWith(0xffff_ff00).topics.get(0)?.count).toBe(1)
  })
})

describe('a segment that cannot be read in places', () => {
  it('comes with zeros there, and says which blocks and why', () => {
    const content = new Uint8Array(20_000).fill(1)
    const file = {
      descriptor: -1,
      read: (at: number, length: number) => {
        if (at < 12_288 && at + length > 8_192) throw Object.assign(new Error('EIO'), { code: 'EIO' })
        return content.slice(at, at + length)
      },
      write: () => {},
      resize: () => {},
      size: () => content.length,
      writtenEnd: () => content.length,
      sync: () => {},
      syncLater: async () => {},
      close: () => {},
    }
    const window = new SalvageWindow(file)
    const bytes = window.read(100, 24_000)
    expect(window.unreadable).toEqual([
      { from: 8_192, to: 12_288, code: 'EIO' },
      { from: 20_000, to: 24_100, code: 'EOF' },
    ])
    bytes.forEach((byte, index) => {
      const at = index + 100
      expect(byte).toBe((at >= 8_192 && at < 12_288) || at >= 20_000 ? 0 : 1)
    })
  })
})

it('of an open log only what its control file says is published is looked at', () => {
  const { world, starts, bytes } = sample()
  const extent = findExtent({
    disk: world.disk,
    directory: world.directory,
    isLive: true,
    bootId: bootA,
  })
  bytes.fill(0xee, extent.published, extent.published + 1_000)
  expect(checkedLog(world, true).report).toMatchObject({ damages: [], remarks: [], verifiedTo: extent.published })
  bytes[starts[5] + 60] ^= 1
  expect(checkedLog(world, true).report.damages).toMatchObject([{ kind: 'batches', position: starts[5] }])
})

it('a block that the device does not give is damage, in the unsealed end as well', () => {
  const { world, starts } = sample()
  const { disk } = world
  const open = disk.open.bind(disk)
  disk.open = (path, access) => {
    const file = open(path, access)
    const bad = starts[2]
    if (file === undefined || !path.endsWith('.seg')) return file
    return {
      ...file,
      read: (at, length) => {
        if (at <= bad && bad < at + length) throw Object.assign(new Error('EIO'), { code: 'EIO' })
        return file.read(at, length)
      },
    }
  }
  const { damages } = checkedLog(world).report
  expect(damages.map(({ kind }) => kind)).toContain('batches')
  expect(damages.some(({ what }) => what.includes('EIO'))).toBe(true)
})
