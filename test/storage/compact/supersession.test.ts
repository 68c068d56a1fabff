/** What is found to be superseded is what a map of keys says, whatever the keys, and however it is come by. */
import { describe, expect, it } from 'vitest'
import { segmentHeaderBytes } from '../../../src/format/segment-layout.js'
import { readSealedFile } from '../../../src/storage/index/sealed-index.js'
import { compactedLog, goneOf, lookThrough } from '../../support/compacted-log.js'
import { rewriteSegment } from '../../support/rewriting.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { putSideIndex } from '../../support/side-indexed-log.js'

type Made = ReturnType<typeof compactedLog>

function expectGone({ log, puts, superseded }: Made, found: ReturnType<Made['supersession']>, words: string): void {
  for (const idsCount of [true, false])
    for (const topic of [0, 1])
      for (const [segment, offsets] of superseded(topic)) {
        const going = offsets.filter((offset) => !idsCount || !puts[topic][offset].hasId)
        const say = `${words}, topic ${topic}, segment ${segment}, ids ${idsCount ? 'count' : 'are forgotten'}`
        if (!idsCount) found.forgetIds(segment)
        expect(goneOf(found, log, topic, segment), say).toEqual(going)
      }
}

it('is what a map of keys says, with a side index of every segment, of some, of none', async () => {
  for (const seed of seedsFrom(1, 6)) {
    const random = new Seeded(seed)
    const made = compactedLog(random, { keys: random.pick([3, 50, 1_000]) })
    await made.log.index()
    const share = random.pick([0, 0.5, 1])
    for (let segment = 0; segment < made.log.tail.segment; segment++)
      if (random.chance(share)) await putSideIndex(made, segment, { keys: true }, ['a', 'b', 'plain'])
    const found = made.supersession()
    // As a log grows: what was looked at is looked at again with what is newer.
    for (let end = 1 + random.below(3); end < made.log.tail.segment; end += 1 + random.below(3)) lookThrough(found, end)
    lookThrough(found, made.log.tail.segment)
    expectGone(made, found, `seed ${seed}`)
    expect(found.goneIn(0).has(2)).toBe(false)
  }
})

it('a segment that was written anew without it has nothing superseded any more, and goes on superseding', async () => {
  const made = compactedLog(new Seeded(7), { keys: 30 })
  const { log } = made
  await log.index()
  const last = log.tail.segment
  const found = made.supersession()
  lookThrough(found, last - 2)
  for (let segment = 0; segment < last - 2; segment += 2) {
    found.forgetIds(segment)
    const before = readSealedFile(log.world.disk, log.files, segment)?.footer
    await rewriteSegment(log, segment, new Map(), 0, found.goneIn(segment))
    const after = readSealedFile(log.world.disk, log.files, segment)?.footer
    expect(after?.records).toBe(before?.records)
    expect(after?.dataEnd).toBeLessThan(before?.dataEnd as number)
    found.rewritten(segment)
    expect(found.goneIn(segment).size).toBe(0)
  }
  lookThrough(found, last)
  const afresh = made.supersession()
  lookThrough(afresh, last)
  const written = new Map<string, boolean>()
  for (const topic of [0, 1])
    for (const [segment, offsets] of made.superseded(topic)) {
      afresh.forgetIds(segment)
      found.forgetIds(segment)
      expect(goneOf(found, log, topic, segment), `topic ${topic}, segment ${segment}`).toEqual(
        goneOf(afresh, log, topic, segment),
      )
      written.set(`${topic}/${segment}`, offsets.length > 0)
    }
  expect([...written.values()]).toContain(true)
})

describe('what is damaged', () => {
  it('supersedes nothing, and nothing of it is superseded', async () => {
    const made = compactedLog(new Seeded(11), { keys: 20 })
    const { log, world } = made
    await log.index()
    const bad = log.tail.segment - 2
    world.disk.bytes(log.files.path(bad))[segmentHeaderBytes + 100] ^= 1
    const found = made.supersession()
    lookThrough(found, log.tail.segment)
    for (let segment = 0; segment < log.tail.segment; segment++) found.forgetIds(segment)
    for (const topic of [0, 1]) {
      const others = made.superseded(topic, (segment) => segment !== bad)
      for (const [segment, offsets] of others) expect(goneOf(found, log, topic, segment)).toEqual(offsets)
      expect(others).not.toEqual(made.superseded(topic))
    }
  })

  it('costs no other its bytes where the index leads astray', async () => {
    const made = compactedLog(new Seeded(13), { keys: 20 })
    const { log, world } = made
    await log.index()
    const { segment } = log.catalog.stretches(0, 0, 1e9)[1]
    const sealed = readSealedFile(world.disk, log.files, segment)
    const entriesAt = sealed?.rows.find(({ topic }) => topic === 0)?.entriesAt as number
    const bytes = world.disk.bytes(log.files.path(segment))
    // Each entry but one says what its neighbour should.
    bytes.copyWithin(entriesAt + 16, entriesAt, entriesAt + 16 * 20)
    const found = made.supersession()
    lookThrough(found, log.tail.segment)
    for (const [each, offsets] of made.superseded(0)) {
      found.forgetIds(each)
      const gone = goneOf(found, log, 0, each)
      expect(offsets).toEqual(expect.arrayContaining(gone))
    }
  })
})
