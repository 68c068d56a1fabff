/** A log some of whose segments are packed: it is what it was, to everybody who reads, copies, checks and mends it. */
import { describe, expect, it } from 'vitest'
import { segmentFeature } from '../../../src/format/features.js'
import { decodeSegmentHeader, encodeSegmentHeader, footerCrc } from '../../../src/format/segment-layout.js'
import { readSealedFile } from '../../../src/storage/index/sealed-index.js'
import { backUp } from '../../../src/storage/life/backup.js'
import { UnfitSegment } from '../../../src/storage/rewrite/segment-rewrite.js'
import { payloadOf } from '../../support/frames.js'
import { caught, expectPrefix, expectReadable, expectRecords, Model, readAll } from '../../support/model.js'
import { packSegment } from '../../support/packing.js'
import { readWhatIsLeft } from '../../support/repair.js'
import { checkedLog, repairedLog } from '../../support/repaired-log.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const segmentBytes = 1 << 18
const blockBytes = 1 << 16

/** Two topics in three sealed segments and an active one. */
async function written(isMapped = true) {
  const world = simulatedWorld(undefined, isMapped)
  const log = new StorageLog(world, { segmentBytes })
  const model = new Model()
  for (const [topic, name] of ['a', 'b'].entries()) {
    model.declare(name)
    log.append([{ declare: name, topic }])
  }
  while (log.tail.segment < 3) {
    const topic = model.order.length % 3 === 0 ? 1 : 0
    // Like text: two bits of a byte say something.
    const value = payloadOf(topic, model.topics[topic].values.length, 900).map((byte) => 97 + (byte & 3))
    model.add(topic, value)
    log.append([{ topic, value }])
  }
  await log.index()
  return { world, log, model }
}

type Written = Awaited<ReturnType<typeof written>>

function expectWhole({ log, model }: Pick<Written, 'log' | 'model'>): void {
  for (const topic of model.topics) {
    const { id, values } = topic
    for (const way of ['dense', 'borrowed', 'sparse'] as const)
      expectRecords(readAll(log.reader, topic.id, 0, values.length, way), topic, 0, values.length)
    const { starts } = log.lookup.find(id, [...values.keys()])
    expect(starts.every((start) => start >= 0)).toBe(true)
  }
}

describe.each([true, false])('with packed segments (mapped where they are not: %s)', (isMapped) => {
  it('every message is read, by who has read before, and by the next owner', async () => {
    const { world, log, model } = await written(isMapped)
    expectWhole({ log, model })
    const size = await packSegment(log, 1)
    expect(size.packedBytes).toBeLessThan(size.bytes / 2)
    expectWhole({ log, model })
    log.readWindows.closeAll()
    log.lookup.forget()
    await packSegment(log, 0)
    expectWhole({ log, model })
    // Nothing of it is mapped, so nothing can be retired under it.
    log.readWindows.with(1, ({ window }) => {
      expect(window.address).toBe(0)
      expect(window.lend(0, 64)).toBeUndefined()
    })
    log.close(true)
    expect(checkedLog(world).report.damages).toEqual([])
    const again = new StorageLog(simulatedWorld(world.disk.copy(), isMapped), { segmentBytes })
    expectPrefix(again.recovered, model, model.order.length)
    expectReadable(again.reader, again.recovered, model)
  })
})

it('one that is packed says so in its header and its footer, and its side index stays its own', async () => {
  const { world, log } = await written()
  const before = readSealedFile(world.disk, log.files, 1)
  await packSegment(log, 1)
  const after = readSealedFile(world.disk, log.files, 1)
  const header = decodeSegmentHeader(world.disk.bytes(log.path(1)))
  expect(header).toMatchObject({ features: segmentFeature.packed, generation: 1, packing: { codec: 1, blockLog2: 16 } })
  expect(after?.footer.tableAt).toBe(header?.packing?.tableAt)
  expect({ ...after?.footer, tableAt: 0 }).toEqual(before?.footer)
  expect(after && footerCrc(after.footer)).toBe(before && footerCrc(before.footer))
  await expect(packSegment(log, 1)).rejects.toThrow(UnfitSegment)
})

it('a backup has the same holes', async () => {
  const { world, log, model } = await written()
  for (const segment of [0, 1]) await packSegment(log, segment)
  const copied: number[] = []
  await backUp(
    {
      disk: world.disk,
      files: log.files,
      calls: { allocate() {} },
      directory: world.directory,
      created: 1,
      features: () => log.control.identity.features,
      now: () => ({ epoch: 1, published: log.published, durable: log.durable, trim: 0, time: 1, bootId: log.bootId }),
      indexed: () => log.indexed,
      copy: async (from, to, at, length) => {
        copied.push(length)
        to.write(at, from.read(at, length))
      },
      isAborted: () => false,
    },
    '/copy',
  )
  expect(copied.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(2.5 * segmentBytes)
  const copy = new StorageLog({ ...simulatedWorld(world.disk.copy()), directory: '/copy' }, { segmentBytes })
  expectPrefix(copy.recovered, model, model.order.length)
  expectReadable(copy.reader, copy.recovered, model)
})

describe('damage', () => {
  /** A bit of one block of the middle segment. */
  async function damaged(block: number) {
    const sample = await written()
    const places = sample.model.topics.map(({ id, values }) =>
      values.map((_, offset) => sample.log.catalog.locate(id, offset)),
    )
    await packSegment(sample.log, 1)
    const bytes = sample.world.disk.bytes(sample.log.path(1))
    const row = 64 + 28 + block * 12
    bytes[new DataView(bytes.buffer).getUint32(row, true) + 5] ^= 4
    const kept = places.map((each) =>
      [...each.keys()].filter((offset) => {
        const place = each[offset]
        return place?.segment !== 1 || Math.floor(place.batch / blockBytes) !== block
      }),
    )
    return { ...sample, kept }
  }

  // The last one holds index entries as well: those of messages that are read are not missed.
  it.each([1, 3])(
    'takes the messages of block %i and no others, says where they were, and a repair leaves a gap for them',
    async (block) => {
      const { world, log, model, kept } = await damaged(block)
      const expectTheRest = (each: StorageLog) => {
        for (const { id, values } of model.topics) {
          const left = [...readWhatIsLeft(each.reader, id, values, 0, values.length)]
          // A batch may begin in one block and end in the next.
          expect(kept[id].length - left.length).toBeLessThanOrEqual(1)
          expect(kept[id]).toEqual(expect.arrayContaining(left))
          expect(left.length).toBeLessThan(values.length)
        }
      }
      log.readWindows.closeAll()
      expectTheRest(log)
      const lost = kept[0].findIndex((offset, index) => offset !== index)
      // Undefined: with the entries in the same block, no segment knows it any more.
      const read = () => log.reader.readOne(0, lost + 1)
      if (block === 3) expect(read()).toBeUndefined()
      else expect(caught(read)).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: lost + 1 })
      log.close(true)
      const { report } = checkedLog(world)
      expect(report.damages.map(({ kind }) => kind)).toContain('batches')
      expect(report.damages.map(({ what }) => what).join()).toContain('packed block that is damaged')
      const plan = repairedLog(world)
      expect(plan.setAside.map(({ copy }) => copy)).toEqual([
        expect.stringContaining('.seg.0-'),
        expect.stringMatching(/-262144$/),
      ])
      expect(checkedLog(world).report.damages).toEqual([])
      expect(decodeSegmentHeader(world.disk.bytes(log.path(1)))).toMatchObject({ features: 0 })
      const again = new StorageLog(simulatedWorld(world.disk), { segmentBytes })
      expectTheRest(again)
    },
  )

  it('of a table costs nothing, is reported and mended', async () => {
    const { world, log, model } = await written()
    await packSegment(log, 1)
    world.disk.bytes(log.path(1))[64 + 30] ^= 1
    log.readWindows.closeAll()
    expectWhole({ log, model })
    log.close(true)
    const { damages } = checkedLog(world).report
    expect(damages).toMatchObject([{ kind: 'index', position: segmentBytes + 64 }])
    repairedLog(world)
    expect(checkedLog(world).report.damages).toEqual([])
    const again = new StorageLog(simulatedWorld(world.disk), { segmentBytes })
    expectWhole({ log: again, model })
  })

  it('of the footer lets the log be opened, and nothing is written into the file', async () => {
    const { world, log, model } = await written()
    await packSegment(log, 2)
    log.close(false)
    const bytes = world.disk.bytes(log.path(2))
    bytes.fill(0, segmentBytes - 64)
    const before = bytes.slice()
    const again = new StorageLog(simulatedWorld(world.disk), { segmentBytes })
    expectPrefix(again.recovered, model, model.order.length)
    expectReadable(again.reader, again.recovered, model)
    expect(Buffer.compare(world.disk.bytes(log.path(2)), before)).toBe(0)
  })
})

it('noise stays as it is, and so does what a device does not give', async () => {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes })
  log.append([{ declare: 'a', topic: 0 }])
  for (let count = 0; log.tail.segment < 1; count++) log.append([{ topic: 0, value: payloadOf(0, count, 3_000) }])
  await log.index()
  const before = world.disk.bytes(log.path(0)).slice()
  await expect(packSegment(log, 0)).rejects.toThrow(UnfitSegment)
  const { world: other, log: text } = await written()
  other.disk.breakBlocks(text.path(0), 100_000, 100_001)
  await expect(packSegment(text, 0)).rejects.toMatchObject({ code: 'EIO' })
  expect(other.disk.list('/log/log').filter((name) => name.endsWith('.new'))).toEqual([])
  expect(Buffer.compare(world.disk.bytes(log.path(0)), before)).toBe(0)
})

it('one that is packed with what is not known here is refused, with the words what to do', async () => {
  const { world, log } = await written()
  await packSegment(log, 0)
  log.close(true)
  const bytes = world.disk.bytes(log.path(0))
  const header = decodeSegmentHeader(bytes)
  const packing = header?.packing
  if (header === undefined || packing === undefined) throw new Error('it is packed')
  bytes.set(encodeSegmentHeader({ ...header, packing: { ...packing, codec: 9 } }))
  const { files } = log
  expect(files.look(0)).toBe('unknown')
  expect(files.faultOf(0)).toBe('is packed with a codec that this release does not know (9): use a later one')
  if (process.versions.node.startsWith('20.')) {
    bytes.set(encodeSegmentHeader({ ...header, packing: { ...packing, codec: 2 } }))
    expect(files.faultOf(0)).toMatch(/zstd, which Node 20.* does not have: use Node 22.15 or later$/)
  }
})
