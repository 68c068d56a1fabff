/** What is found to be superseded is what a map of keys says, whatever the keys, and however it is come by. */
import { describe, expect, it } from 'vitest'
import { batchHeaderBytes } from '../../../src/format/batch-layout.js'
import { segmentHeaderBytes } from '../../../src/format/segment-layout.js'
import { hasExpired } from '../../../src/messages/expiry.js'
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
  for (const seed of seedsFrom(1, 4)) {
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

it('newer segments are left for another time while somebody reads the state before them', async () => {
  const { log, supersession } = compactedLog(new Seeded(5), { keys: 20 })
  await log.index()
  const last = log.tail.segment
  const timeOf = (segment: number) => readSealedFile(log.world.disk, log.files, segment)?.footer.lastTime as number
  const found = supersession()
  while (found.catchUp(last, timeOf(last - 2)));
  for (let segment = 0; segment < last; segment++) while (found.step(segment));
  const first = supersession()
  const earlier = Array.from({ length: last }, (_, segment) => segment).filter(
    (each) => timeOf(each) < timeOf(last - 2),
  )
  lookThrough(first, earlier.length)
  for (const topic of [0, 1])
    for (const segment of earlier)
      expect(goneOf(found, log, topic, segment)).toEqual(goneOf(first, log, topic, segment))
  expect(earlier.length).toBeGreaterThan(1)
  lookThrough(found, last)
  expect(goneOf(found, log, 0, 0).length).toBeGreaterThanOrEqual(goneOf(first, log, 0, 0).length)
})

it.each([true, false])(
  'a segment that was written anew without it has nothing superseded any more, and goes on superseding (ids forgotten: %s)',
  async (areForgotten) => {
    const made = compactedLog(new Seeded(7), { keys: 30 })
    const { log } = made
    await log.index()
    const last = log.tail.segment
    const found = made.supersession()
    lookThrough(found, last - 2)
    for (let segment = 0; segment < last - 2; segment += 2) {
      if (areForgotten) found.forgetIds(segment)
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
  },
)

it('nothing of a deleted segment is opened any more, wherever it was looked at when that was deleted', async () => {
  const made = compactedLog(new Seeded(9), { keys: 20, messages: 1_500 })
  const { log } = made
  await log.index()
  const last = log.tail.segment - 1
  for (let done = 0, isOver = false; !isOver; done += 1) {
    const found = made.supersession(Number.POSITIVE_INFINITY)
    lookThrough(found, last)
    while (found.catchUp(last + 1));
    for (let steps = 0; steps < done && !isOver; steps++) isOver = !found.step(last)
    const open = log.files.openWindow
    log.files.openWindow = (memory, segment) => {
      expect(segment).toBeGreaterThanOrEqual(last)
      return open.call(log.files, memory, segment)
    }
    found.dropBelow(last)
    while (found.step(last));
    log.files.openWindow = open
    expect(goneOf(found, log, 0, last).length).toBeGreaterThan(0)
  }
})

it('a segment all of whose keys are superseded is not compared with what comes', async () => {
  const made = compactedLog(new Seeded(8), { keys: 3, messages: 20_000 })
  const { log } = made
  await log.index()
  const last = log.tail.segment
  const found = made.supersession()
  lookThrough(found, last - 20)
  while (found.catchUp(last));
  let steps = 0
  while (found.step(0)) steps += 1
  // It is looked at once a topic, and none of the twenty that are new.
  expect(steps).toBeLessThanOrEqual(3)
  for (const topic of [0, 1]) {
    found.forgetIds(0)
    expect(goneOf(found, log, topic, 0)).toEqual(made.superseded(topic).get(0))
  }
})

describe('tombstones', () => {
  /** Rewrites what is superseded, and looks again, as long as something goes. */
  async function compactAll(made: Made, below: number): Promise<void> {
    const { log } = made
    const found = made.supersession(below)
    for (let isGoing = true; isGoing; ) {
      isGoing = false
      lookThrough(found, log.tail.segment)
      for (let segment = 0; segment < log.tail.segment; segment++) {
        found.forgetIds(segment)
        const gone = found.goneIn(segment)
        if (gone.size === 0) continue
        isGoing = true
        await rewriteSegment(log, segment, new Map(), 0, gone)
        found.rewritten(segment)
      }
    }
  }

  it('go when nothing older of their key is left, and not before, and nothing comes back', async () => {
    for (const seed of seedsFrom(21, 2)) {
      const made = compactedLog(new Seeded(seed), { keys: 20 })
      const { log, puts } = made
      await log.index()
      const sealed = [0, 1].map((topic) => {
        const { end } = log.catalog.stretches(topic, 0, 1e9).findLast(({ segment }) => segment < log.tail.segment) ?? {}
        return puts[topic].slice(0, end)
      })
      const below = Math.floor(sealed[0].length * 0.8)
      /** Of each key what counts by what is there; undefined: nothing, or a tombstone. */
      const state = () =>
        [0, 1].map((topic) => {
          const latest = new Map<string, number | undefined>()
          const there: number[] = []
          for (const [offset, { key, isTombstone }] of sealed[topic].entries()) {
            if (isStub(log.reader.readOne(topic, offset) as Uint8Array)) continue
            if (key !== undefined) latest.set(key, isTombstone ? undefined : offset)
            there.push(offset)
          }
          return { latest: [...latest].filter(([, offset]) => offset !== undefined).sort(), there }
        })
      const before = state()
      const found = made.supersession(below)
      for (let end = 1; end <= log.tail.segment; end++) {
        lookThrough(found, end)
        // One at a time, in any order: whatever a crash leaves must mean the same.
        for (const segment of [end - 1, Math.floor(end / 2), 0]) {
          found.forgetIds(segment)
          if (found.goneIn(segment).size === 0) continue
          await rewriteSegment(log, segment, new Map(), 0, found.goneIn(segment))
          log.readWindows.closeAll()
          found.rewritten(segment)
          // Of each key what is not superseded in what was looked at so far is still there.
          expect(
            state().map(({ latest }) => latest),
            `seed ${seed}`,
          ).toEqual(before.map(({ latest }) => latest))
        }
      }
      await compactAll(made, below)
      log.readWindows.closeAll()
      const after = state()
      expect(
        after.map(({ latest }) => latest),
        `seed ${seed}`,
      ).toEqual(before.map(({ latest }) => latest))
      for (const [topic, { there }] of after.entries()) {
        const tombstones = there.filter((offset) => sealed[topic][offset].isTombstone)
        expect(
          tombstones.filter((offset) => offset < below),
          `seed ${seed}, topic ${topic}`,
        ).toEqual([])
        expect(there.length).toBeLessThan(before[topic].there.length)
      }
    }
  })

  it('stay while something of their key stands in an older segment, superseded or not, and where one is damaged', async () => {
    const made = compactedLog(new Seeded(31), { keys: 10 })
    const { log, world, puts } = made
    await log.index()
    const found = made.supersession(Number.POSITIVE_INFINITY)
    lookThrough(found, log.tail.segment)
    for (let segment = 1; segment < log.tail.segment; segment++)
      for (const topic of [0, 1])
        for (const offset of goneOf(found, log, topic, segment)) {
          if (!puts[topic][offset].isTombstone) continue
          const { key } = puts[topic][offset]
          const { first } = log.catalog.stretches(topic, 0, 1e9).findLast(({ first }) => first <= offset) ?? {
            first: 0,
          }
          const isLatest = !made.superseded(topic).get(segment)?.includes(offset)
          if (isLatest) expect(puts[topic].slice(0, first).some((each) => each.key === key)).toBe(false)
        }
    world.disk.bytes(log.files.path(0))[segmentHeaderBytes + 100] ^= 1
    const careful = made.supersession(Number.POSITIVE_INFINITY)
    lookThrough(careful, log.tail.segment)
    for (const topic of [0, 1])
      for (const [segment, offsets] of made.superseded(topic, (each) => each !== 0)) {
        careful.forgetIds(segment)
        expect(goneOf(careful, log, topic, segment)).toEqual(segment === 0 ? [] : offsets)
      }
  })
})

/** Its place alone is left. */
function isStub(batch: Uint8Array): boolean {
  return hasExpired(batch, new Uint32Array(batch.buffer, batch.byteOffset, batch.length >>> 2), batchHeaderBytes)
}

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
