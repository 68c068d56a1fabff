import { expect, it } from 'vitest'
import type { KeyBelow } from '../../../src/collections/packed-keys.js'
import { TaggedRecords } from '../../../src/storage/index/tagged-records.js'
import { KeyCandidates } from '../../../src/storage/read/key-candidates.js'
import { LostRecords } from '../../../src/storage/read/lost-records.js'
import { NewestOfKeys } from '../../../src/storage/read/newest-of-keys.js'
import { PlacedRecords } from '../../../src/storage/read/placed-records.js'
import { SideIndexes } from '../../../src/storage/side/side-indexes.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { keyedLog, newestOf, putSideIndex, readingOf, someKeys } from '../../support/side-indexed-log.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const utf8 = (text: string) => new TextEncoder().encode(text)

it('of each key the newest below its offset is found, in as many steps as it takes, whatever the segments are indexed by', async () => {
  for (const seed of seedsFrom(11, 3)) {
    const random = new Seeded(seed)
    const made = keyedLog(random, 2_000)
    const { world, log, given } = made
    if (seed !== 11) await log.index()
    const sealed = log.files.segmentOf(log.indexed)
    for (let segment = 0; segment < sealed; segment++)
      if (random.chance(0.5)) await putSideIndex(made, segment, { keys: true })
    const bounds = { published: () => log.published, indexed: () => log.indexed, trim: () => log.trim }
    const lost = new LostRecords(log.files, log.readWindows, log.catalog, bounds)
    const records = new PlacedRecords(log.files, log.readWindows, log.catalog, bounds, lost)
    const tags = new TaggedRecords(log.catalog, log.readWindows)
    const sides = new SideIndexes(world.disk, log.files, () => 0)
    const candidates = new KeyCandidates(log.catalog, tags, records, lost, sides)
    const search = new NewestOfKeys(log.catalog, candidates, { aCall: 3_000, atOnce: 30 })
    const from = random.below(100)
    // Some of them twice, and between other offsets.
    const asked = Array.from({ length: 500 }, () => ({
      key: random.chance(0.3) ? random.pick(someKeys) : `many-${random.below(4_000)}`,
      from: random.chance(0.5) ? from : from + random.below(given.length),
      to: random.chance(0.5) ? given.length : random.below(given.length),
    }))
    const found = new Map<number, number>()
    let steps = 0
    for (let to = given.length; to > 0; steps++) {
      const open = asked.map(({ key, from, to: below }) => ({ key: utf8(key), from, to: Math.min(below, to) }))
      const step = search.find({ topic: 0, from, to, asked: open })
      expect(step.to).toBeLessThan(to)
      step.offsets.forEach((offset, index) => {
        if (offset >= 0 && !found.has(index)) found.set(index, offset)
      })
      ;({ to } = step)
    }
    if (sealed > 0) expect(steps).toBeGreaterThan(1)
    asked.forEach(({ key, from, to }, index) => {
      const offset = newestOf(given, key, from, to)
      expect(found.get(index), `seed ${seed}: ${key} from ${from} to ${to}`).toBe(offset)
    })
  }
})

it.each(['in memory', 'stored', 'beside its segment'])(
  'a key is found behind thousands of another with the same tag, by an index %s',
  async (which) => {
    const world = simulatedWorld()
    const log = new StorageLog(world)
    const count = 5_000
    log.append([{ declare: 't', topic: 0 }])
    const keyed = (key: string) => ({ topic: 0, value: utf8('v'), extras: { key: utf8(key), headers: undefined } })
    log.append([keyed('buckeroo')])
    for (let each = 0; each < count; each += 100) log.append(Array.from({ length: 100 }, () => keyed('plumless')))
    if (which !== 'in memory') {
      // So that the segment is a sealed one.
      const filler = { topic: 0, value: new Uint8Array(50_000) }
      while (log.files.segmentOf(log.published) === 0) log.append([filler])
      log.flush()
      await log.index()
      if (which !== 'stored') await putSideIndex({ world, log }, 0, { keys: true })
    }
    const { topics } = readingOf({ world, log })
    let asked: readonly KeyBelow[] = ['buckeroo', 'plumless'].map((key) => ({ key: utf8(key), to: count + 1 }))
    const found = new Set<number>()
    for (let to = count + 1; to > 0; asked = asked.map((each) => ({ ...each, to }))) {
      const step = topics.newest({ topic: 0, from: 0, to, asked })
      for (const offset of step.offsets) found.add(offset)
      expect(step.to).toBeLessThan(to)
      ;({ to } = step)
    }
    expect(found.has(0)).toBe(true)
    expect(found.has(count)).toBe(true)
  },
)

it('a record that may have one of the keys and cannot be read is told of, and not passed over', async () => {
  const made = keyedLog(new Seeded(3), 500)
  const { world, log, given } = made
  await log.index()
  const lost = given.findLastIndex(({ key }) => key === 'a')
  const place = log.catalog.locate(0, lost)
  world.disk.bytes(log.path(place?.segment ?? 0))[(place?.frame ?? 0) + 20] ^= 1
  log.readWindows.closeAll()
  const { topics } = readingOf(made)
  const asked = ['nobody', 'a'].map((key) => ({ key: utf8(key), to: given.length }))
  expect(() => topics.newest({ topic: 0, from: 0, to: given.length, asked })).toThrow(
    expect.objectContaining({ code: 'BOOKEND_CORRUPT' }),
  )
  expect([...topics.newest({ topic: 0, from: 0, to: given.length, asked: asked.slice(0, 1) }).offsets]).toEqual([-1])
})
