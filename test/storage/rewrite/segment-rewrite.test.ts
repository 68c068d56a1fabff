/** A sealed segment, written anew without the front of some topics: what is kept is what it was, and the log is a whole one. */
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { batchHeaderBytes, batchTime } from '../../../src/format/batch-layout.js'
import { expiringHeaders, stubBytes } from '../../../src/format/expiry-layout.js'
import { frameFlag, frameWord } from '../../../src/format/frame-layout.js'
import { hasExpired } from '../../../src/messages/expiry.js'
import { readSealedFile } from '../../../src/storage/index/sealed-index.js'
import type { KeptFrom } from '../../../src/storage/rewrite/kept-batches.js'
import { UnfitSegment } from '../../../src/storage/rewrite/segment-rewrite.js'
import { groupOf, payloadOf, type TestFrame } from '../../support/frames.js'
import { readAll } from '../../support/model.js'
import { checkedLog } from '../../support/repaired-log.js'
import { rewriteSegment } from '../../support/rewriting.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const segmentBytes = 1 << 18
const names = ['a', 'b', 'c', 'never-written']
const encoder = new TextEncoder()

/** Messages of every kind, in groups and alone, many of one moment, in three sealed segments and an active one. */
async function written(seed: number) {
  const random = new Seeded(seed)
  const world = simulatedWorld()
  let now = 1_000
  const log = new StorageLog(world, { segmentBytes, now: () => now })
  const counts = names.map(() => 0)
  for (const [topic, declare] of names.entries()) log.append([{ declare, topic }])
  while (log.tail.segment < 3) {
    if (random.chance(0.3)) now += random.below(5)
    const topic = random.below(3)
    const bytes = random.chance(0.05) ? 70_000 : random.below(2_000)
    const values = Array.from({ length: 1 + random.below(3) }, () => payloadOf(topic, counts[topic]++, bytes))
    if (random.chance(0.3)) {
      log.append(groupOf(topic, values), true)
      continue
    }
    const frames: TestFrame[] = values.map((value) => {
      const kind = random.below(4)
      const headers = encoder.encode('{"type":"paid"}')
      if (kind === 0) return { topic, value }
      if (kind === 1) return { topic, value, extras: { key: encoder.encode('k'), headers } }
      if (kind === 2) return { topic, value, extras: { key: new Uint8Array(0), headers: undefined } }
      return {
        topic,
        value,
        extras: { key: undefined, headers: encoder.encode('{"bookend-expires":"9999999999999"}'), expiresAt: 9e12 },
      }
    })
    log.append(frames)
  }
  await log.index()
  return { world, log, random, counts }
}

/** A record and its time; whether it was one of a group means nothing once it is published. */
function recordAt(log: StorageLog, topic: number, offset: number): { time: number; frame: string } {
  const bytes = log.reader.readOne(topic, offset)
  if (bytes === undefined) throw new Error(`${topic}/${offset} is not there`)
  const words = new Uint32Array(bytes.buffer)
  words[(batchHeaderBytes >>> 2) + frameWord.tail] &= ~(frameFlag.continues << 24)
  return { time: batchTime(words, 0), frame: Buffer.from(bytes.subarray(batchHeaderBytes)).toString('latin1') }
}

it.each(seedsFrom(1, 4))('every record that is kept is there, at its offset, with its time (SEED=%i)', async (seed) => {
  const { world, log, random, counts } = await written(seed)
  const before = counts.map((count, topic) =>
    Array.from({ length: count }, (_, offset) => recordAt(log, topic, offset)),
  )
  // Its lookups remember batches by where they stood.
  const lookedUp = (each: StorageLog, topic: number, from: number, to: number) => {
    const offsets = Array.from({ length: to - from }, (_, index) => from + index)
    const { bytes, starts } = each.lookup.find(topic, offsets)
    const words = new Uint32Array(bytes.buffer)
    return offsets.map((offset, index) =>
      starts[index] < 0 ? recordAt(each, topic, offset).time : batchTime(words, starts[index]),
    )
  }
  for (const [topic, count] of counts.entries()) lookedUp(log, topic, 0, count)
  const firsts = names.map(() => 0)
  for (const segment of [1, 0, 2, 1]) {
    const kept = new Map<number, KeptFrom>()
    for (const topic of [0, 1]) {
      const stretch = log.catalog.stretches(topic, 0, 1e9).find((each) => each.segment === segment)
      if (stretch === undefined || random.chance(0.3)) continue
      const offset = stretch.first + random.below(stretch.end - stretch.first + 1)
      firsts[topic] = Math.max(firsts[topic], offset)
      kept.set(topic, { offset, readable: offset })
    }
    const dataEnd = endOf(log, segment)
    await rewriteSegment(log, segment, kept)
    expect(endOf(log, segment)).toBeLessThanOrEqual(dataEnd)
  }
  const expectKept = (each: StorageLog) => {
    for (const [topic, records] of before.entries()) {
      for (let offset = firsts[topic]; offset < records.length; offset++) {
        if (offset === firsts[topic]) {
          // Whoever reads on verifies batches where others stood in the old file.
          readAll(each.reader, topic, offset, records.length, 'dense')
          const times = records.slice(offset).map(({ time }) => time)
          expect(lookedUp(each, topic, offset, records.length)).toEqual(times)
        }
        if (!isDeepStrictEqual(recordAt(each, topic, offset), records[offset])) throw new Error(`${topic}/${offset}`)
      }
    }
  }
  expectKept(log)
  log.readWindows.closeAll()
  expectKept(log)
  log.close(true)
  const { report } = checkedLog(world)
  expect(report.damages).toEqual([])
  const again = new StorageLog(simulatedWorld(world.disk.copy()), { segmentBytes })
  expect(again.recovered.damages).toEqual([])
  expect(again.recovered.topics.map(({ next }) => next)).toEqual(counts)
  expect(again.recovered.topics.map(({ first }) => first)).toEqual(firsts)
  expectKept(again)
})

it('of what has expired its place is left, for good, and of all else everything', async () => {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes })
  const times = [1_000, 2_000, 3_000, undefined]
  const sizes = [0, 20, 2_000, 70_000]
  log.append([{ declare: 'a', topic: 0 }])
  let count = 0
  while (log.tail.segment < 1) {
    const expiresAt = times[count % times.length]
    // What has an id stays, since the topic may remember that for longer.
    const more = count % 5 > 0 ? '{"a":"b"}' : '{"bookend-id":"b"}'
    const headers = expiresAt === undefined ? undefined : encoder.encode(expiringHeaders(expiresAt, more))
    const key = encoder.encode(`k${count % 3}`)
    const value = payloadOf(0, count, sizes[(count % 16) >>> 2])
    log.append([{ topic: 0, value, extras: { key, headers, ...(expiresAt !== undefined && { expiresAt }) } }])
    count += 1
  }
  await log.index()
  const sealed = log.catalog.stretches(0, 0, 1e9)[0].end
  const before = Array.from({ length: sealed }, (_, offset) => recordAt(log, 0, offset))
  const dataEnd = endOf(log, 0)
  await rewriteSegment(log, 0, new Map(), 2_000)
  // Who has the old file open has it as it was.
  expect(recordAt(log, 0, 1)).toEqual(before[1])
  log.readWindows.closeAll()
  expect(endOf(log, 0)).toBeLessThan(dataEnd * 0.7)
  for (let offset = 0; offset < sealed; offset++) {
    const expiresAt = times[offset % times.length]
    const found = recordAt(log, 0, offset)
    const isExpired = expiresAt !== undefined && expiresAt <= 2_000 && offset % 5 > 0
    if (!isExpired) expect(isDeepStrictEqual(found, before[offset])).toBe(true)
    else {
      expect(found.time).toBe(before[offset].time)
      const frame = Buffer.from(found.frame, 'latin1')
      expect(frame.length).toBe(stubBytes)
      expect(hasExpired(frame, new Uint32Array(new Uint8Array(frame).buffer), 0)).toBe(true)
    }
  }
  log.close(true)
  expect(checkedLog(world).report.damages).toEqual([])
})

it('a message has its own time, where a batch of the old file stood at the same place', async () => {
  let now = 1_000
  const log = new StorageLog(simulatedWorld(), { segmentBytes, now: () => now })
  log.append([
    { declare: 'a', topic: 0 },
    { declare: 'b', topic: 1 },
  ])
  // Batches of one size, of both in turn.
  for (let count = 0; log.tail.segment < 1; count++) {
    now += 10
    log.append([{ topic: count % 2, value: new Uint8Array(4_000) }])
  }
  await log.index()
  const { end } = log.catalog.stretches(1, 0, 1e9)[0]
  const offsets = Array.from({ length: end }, (_, offset) => offset)
  const timesOf = () => {
    const { bytes, starts } = log.lookup.find(1, offsets)
    return [...starts].map((start) => (start < 0 ? undefined : batchTime(new Uint32Array(bytes.buffer), start)))
  }
  log.lookup.find(0, offsets)
  const times = timesOf()
  await rewriteSegment(log, 0, new Map([[0, { offset: end, readable: end }]]))
  log.readWindows.closeAll()
  log.lookup.forget()
  readAll(log.reader, 1, 0, end, 'dense')
  expect(timesOf()).toEqual(times)
})

/** Where the batches of a sealed segment end. */
function endOf({ world, files }: StorageLog, segment: number): number {
  const sealed = readSealedFile(world.disk, files, segment)
  if (sealed === undefined) throw new Error('the segment has a footer')
  return sealed.footer.dataEnd
}

describe('a segment stays as it is', () => {
  const nothing = new Map<number, KeptFrom>()

  it('where it has no footer yet', async () => {
    const { log } = await written(1)
    await expect(rewriteSegment(log, log.tail.segment, nothing)).rejects.toThrow(UnfitSegment)
  })

  it('where any byte of its batches is wrong', async () => {
    const { world, log, random } = await written(2)
    const bytes = world.disk.bytes(log.path(1))
    for (let turn = 0; turn < 8; turn++) {
      const at = 64 + random.below(100_000)
      bytes[at] ^= 1
      await expect(rewriteSegment(log, 1, nothing)).rejects.toThrow(UnfitSegment)
      expect(world.disk.has(`${log.path(1)}.new`)).toBe(false)
      bytes[at] ^= 1
    }
    await rewriteSegment(log, 1, nothing)
  })
})
