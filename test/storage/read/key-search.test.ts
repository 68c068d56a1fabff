import { expect, it } from 'vitest'
import { batchHeaderBytes } from '../../../src/format/batch-layout.js'
import { TaggedRecords } from '../../../src/storage/index/tagged-records.js'
import { KeyCandidates } from '../../../src/storage/read/key-candidates.js'
import { KeySearch } from '../../../src/storage/read/key-search.js'
import { LostRecords } from '../../../src/storage/read/lost-records.js'
import { PlacedRecords } from '../../../src/storage/read/placed-records.js'
import { payloadOf } from '../../support/frames.js'
import { Seeded } from '../../support/seeded.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const messages = 3_000
const utf8 = (text: string) => new TextEncoder().encode(text)
// The last two have one checksum.
const keys = ['a', 'ab', 'plumless', 'buckeroo'].map(utf8)

/** Messages in several segments, the keys of some, and who looks for them, a few entries at a time. */
async function filledLog(isSealed: boolean) {
  const world = simulatedWorld()
  const log = new StorageLog(world)
  const random = new Seeded(2)
  const given: (Uint8Array | undefined)[] = []
  log.append([{ declare: 't', topic: 0 }])
  while (given.length < messages) {
    const some = Array.from({ length: 1 + random.below(9) }, () => (random.chance(0.2) ? random.pick(keys) : undefined))
    log.append(
      some.map((key, index) => ({
        topic: 0,
        value: payloadOf(0, given.length + index, 1 + random.below(1_500)),
        ...((key !== undefined || random.chance(0.2)) && { extras: { key, headers: utf8('{}') } }),
      })),
    )
    given.push(...some)
  }
  log.flush()
  if (isSealed) await log.index()
  const bounds = { published: () => log.published, indexed: () => log.indexed, trim: () => log.trim }
  const lost = new LostRecords(log.files, log.readWindows, log.catalog, bounds)
  const records = new PlacedRecords(log.files, log.readWindows, log.catalog, bounds, lost)
  const tags = new TaggedRecords(log.catalog, log.readWindows)
  const candidates = new KeyCandidates(log.catalog, tags, records, lost, undefined)
  const search = new KeySearch(log.catalog, candidates, { aCall: 100, atOnce: 30 })
  const offsetsOf = (key: Uint8Array) => given.flatMap((each, offset) => (each === key ? [offset] : []))
  return { world, log, search, offsetsOf, end: given.length }
}

it('every record with the key is found once and in order, part by part, whatever stands between', async () => {
  for (const isSealed of [false, true]) {
    const { search, offsetsOf, end } = await filledLog(isSealed)
    for (const key of keys)
      for (const isReverse of [false, true])
        for (const max of [1, 7, 1_000]) {
          const found: number[] = []
          let parts = 0
          for (let [from, to] = [0, end]; from < to; parts++) {
            const part = search.find({ topic: 0, key, from, to, max, isReverse })
            expect(part.offsets.length).toBeLessThanOrEqual(max)
            expect(part.to - part.from).toBeLessThan(to - from)
            expect(part.pieces.every((piece) => piece.length > batchHeaderBytes)).toBe(true)
            found.push(...part.offsets)
            ;({ from, to } = part)
          }
          // What has no index is answered by chains, all at once.
          if (isSealed) expect(parts).toBeGreaterThan(messages / 150)
          expect(isReverse ? found.reverse() : found).toEqual(offsetsOf(key))
        }
  }
})

it('a record that may have the key and cannot be read is told of, and not passed over', async () => {
  const { world, log, search, offsetsOf, end } = await filledLog(true)
  const [key] = keys
  const lost = offsetsOf(key)[3]
  const piece = log.reader.readOne(0, lost) as Uint8Array
  const bytes = world.disk.bytes(log.path(0))
  const frame = Buffer.from(piece.subarray(batchHeaderBytes))
  const at = Buffer.from(bytes.buffer).indexOf(frame)
  expect(at).toBeGreaterThan(0)
  bytes[at + frame.length - 1] ^= 1
  bytes[at + 20] ^= 1
  log.readWindows.closeAll()
  expect(() => search.find({ topic: 0, key, from: lost, to: end, max: 1, isReverse: false })).toThrow(
    expect.objectContaining({ code: 'BOOKEND_CORRUPT' }),
  )
})

it('a tag that has rotted in an entry hides no message: entries are summed up before they are believed', async () => {
  const { world, log, search, offsetsOf, end } = await filledLog(true)
  const [key] = keys
  const offset = offsetsOf(key)[5]
  // Footers are read with the first question.
  const sealedFrom = log.catalog.sealedFrom(0, 0)?.first as number
  const entriesAt = log.catalog.footerOf(0)?.entriesAt
  expect(entriesAt).toBeGreaterThan(0)
  world.disk.bytes(log.path(0))[(entriesAt as number) + (offset - sealedFrom) * 16 + 13] ^= 1
  const found = search.find({ topic: 0, key, from: offset, to: end, max: 1, isReverse: false })
  expect(found.offsets).toEqual([offset])
})

it('a key that very many messages have is found part by part, oldest first and newest first', async () => {
  const log = new StorageLog(simulatedWorld())
  const count = 10_000
  log.append([{ declare: 't', topic: 0 }])
  for (let first = 0; first < count; first += 100)
    log.append(
      Array.from({ length: 100 }, () => ({ topic: 0, value: keys[0], extras: { key: keys[0], headers: undefined } })),
    )
  for (const isReverse of [false, true]) {
    const found: number[] = []
    for (let [from, to] = [0, count]; from < to; ) {
      const part = log.reader.keyed({ topic: 0, key: keys[0], from, to, max: 3_000, isReverse })
      found.push(...part.offsets)
      ;({ from, to } = part)
    }
    const all = Array.from({ length: count }, (_, offset) => offset)
    expect(found).toEqual(isReverse ? all.reverse() : all)
  }
})
