/** Who opens a log reads its footers, and hands them over: whoever reads then opens no file for them. */
import { expect, it } from 'vitest'
import { Catalog } from '../../../src/storage/index/catalog.js'
import { FooterHandOver, HandedFooters } from '../../../src/storage/index/handed-footers.js'
import { readSealedFile } from '../../../src/storage/index/sealed-index.js'
import { payloadOf } from '../../support/frames.js'
import { readAll } from '../../support/model.js'
import { rewriteSegment } from '../../support/rewriting.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const segmentBytes = 1 << 18
const messages = 800

/** Some sealed segments of two topics, and a time between any two of their batches. */
async function sealedLog() {
  const world = simulatedWorld()
  let now = 1_000
  const log = new StorageLog(world, { segmentBytes, now: () => now })
  log.append([
    { declare: 'a', topic: 0 },
    { declare: 'b', topic: 1 },
  ])
  for (let offset = 0; offset < messages; offset++) {
    now += 1
    log.append([0, 1].map((topic) => ({ topic, value: payloadOf(topic, offset, 600) })))
  }
  await log.index()
  log.close(true)
  return { world, sealed: log.tail.segment }
}

/** Files of segments that were opened as such since, not as windows. */
const opened = ({ disk }: ReturnType<typeof simulatedWorld>, since: number) =>
  disk.calls.slice(since).filter(({ call, file }) => call === 'open' && file.endsWith('.seg')).length

it('a reader asks no file for a footer that was handed over', async () => {
  const { world, sealed } = await sealedLog()
  const log = new StorageLog(world, { segmentBytes })
  const since = world.disk.calls.length
  expect(log.catalog.stretches(0, 0, messages).length).toBe(sealed + 1)
  expect(log.reader.offsetAt(0, 1_500, 0, messages)).toBe(499)
  expect(readAll(log.reader, 1, 0, messages, 'dense')).toHaveLength(messages)
  expect(opened(world, since)).toBe(0)
})

it('what does not fit is that of the oldest segments, and is read from their files', async () => {
  const { world, sealed } = await sealedLog()
  const log = new StorageLog(world, { segmentBytes })
  const handOver = new FooterHandOver(400)
  for (let segment = 0; segment < sealed; segment++)
    handOver.add(
      segment,
      readSealedFile(world.disk, log.files, segment) ?? expect.fail('a sealed segment has a footer'),
    )
  const shared = handOver.finish()
  expect(shared.byteLength).toBeGreaterThan(200)
  expect(shared.byteLength).toBeLessThanOrEqual(400)
  const bounds = { published: () => log.published, indexed: () => log.indexed, trim: () => log.trim }
  const handed = new HandedFooters(shared, segmentBytes)
  const catalog = new Catalog(world.disk, log.files, log.readWindows, bounds, handed)
  const since = world.disk.calls.length
  expect(catalog.stretches(0, 0, messages)).toEqual(log.catalog.stretches(0, 0, messages))
  expect(opened(world, since)).toBeLessThan(sealed)
  expect(opened(world, since)).toBeGreaterThan(0)
})

it('of a segment that was written anew since the new footer counts', async () => {
  const { world } = await sealedLog()
  const log = new StorageLog(world, { segmentBytes })
  const before = log.catalog.stretches(1, 0, messages)[1]
  const again = new StorageLog(world, { segmentBytes })
  await rewriteSegment(log, 1, new Map([[1, { offset: before.first + 40, readable: before.first + 40 }]]))
  const values = readAll(again.reader, 1, before.first + 40, messages, 'dense')
  expect(values.map(({ offset }) => offset)).toEqual(
    Array.from({ length: messages - before.first - 40 }, (_, index) => before.first + 40 + index),
  )
  for (const { offset, value } of values) expect(Buffer.compare(value, payloadOf(1, offset, 600))).toBe(0)
  expect(readAll(again.reader, 0, 0, messages, 'sparse')).toHaveLength(messages)
})
