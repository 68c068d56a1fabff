import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hotIdleMs, maxHotBatchBytes, maxHotSegments, maxMapRows, rowsPerMappedTopic } from '../../../src/limits.js'
import { HotReader } from '../../../src/storage/hot/hot-reader.js'
import { payloadOf } from '../../support/frames.js'
import { checkHot, valueAt, warmUp } from '../../support/hot.js'
import type { ModelTopic } from '../../support/model.js'
import { Seeded } from '../../support/seeded.js'
import { StorageLog, type StorageLogOptions } from '../../support/storage-log.js'
import { type SimulatedWorld, simulatedWorld } from '../../support/worlds.js'

let world: SimulatedWorld
let log: StorageLog
let hot: HotReader
let topic: ModelTopic

function begin(options: StorageLogOptions = {}): void {
  world = simulatedWorld()
  log = new StorageLog(world, options)
  hot = log.hot as HotReader
  topic = { id: 0, name: 't', first: 0, values: [] }
  log.append([{ declare: 't', topic: 0 }])
}

/** One batch, or as many as it takes. */
function append(...sizes: number[]): void {
  const values = sizes.map((size, index) => payloadOf(0, topic.values.length + index, size))
  topic.values.push(...values)
  log.append(values.map((value) => ({ topic: 0, value })))
}

function times(count: number, run: (at: number) => void): void {
  for (let at = 0; at < count; at++) run(at)
}

const many = (count: number, size: number) => Array.from({ length: count }, () => size)

beforeEach(() => begin())
afterEach(async () => {
  await hot.close()
  expect(world.now.openCount).toBe(0)
})

describe('what is in memory', () => {
  it('is left to reader threads until its file is open, and is found from then on', async () => {
    append(...many(500, 100))
    expect(hot.find(0, 7)).toBeUndefined()
    await hot.settled()
    expect(hot.find(0, 7)?.offset).toBe(7)
  })

  it.each([
    ['long batches', () => append(...many(3_000, 100))],
    ['batches of one', () => times(500, () => append(60))],
    ['batches of all lengths', () => times(120, (at) => append(...many(1 + (at % 40), (at * 37) % 700)))],
    ['long messages', () => append(100_000, 3, 250_000, 9, 0)],
  ])('is all found: %s', async (_, fill) => {
    fill()
    expect(await warmUp(hot, topic)).toBe(topic.values.length)
    // As it grows, and once it has an index.
    fill()
    expect(await warmUp(hot, topic)).toBe(topic.values.length)
    log.roll()
    await log.index()
    expect(checkHot(hot, topic)).toBe(topic.values.length)
    const other = new HotReader(world.now, log.files, {
      published: () => log.published,
      indexed: () => log.indexed,
      trim: () => log.trim,
    })
    expect(await warmUp(other, topic)).toBe(topic.values.length)
    await other.close()
  })

  it('is found in batches that several topics share', async () => {
    const others = [1, 2, 3].map((id): ModelTopic => ({ id, name: `t${id}`, first: 0, values: [] }))
    log.append(others.map(({ id, name }) => ({ declare: name, topic: id })))
    const all = [topic, ...others]
    const random = new Seeded(5)
    for (let batch = 0; batch < 60; batch++) {
      const frames = many(1 + random.below(400), 0).map(() => {
        const { id, values } = random.pick(all)
        values.push(payloadOf(id, values.length, random.below(300)))
        return { topic: id, value: values[values.length - 1] }
      })
      log.append(frames)
    }
    for (const each of all) expect(await warmUp(hot, each)).toBe(each.values.length)
    await log.index()
    for (const each of all) expect(await warmUp(hot, each)).toBe(each.values.length)
  })

  it('is right, or left to reader threads, whatever of it is not in memory', async () => {
    const random = new Seeded(11)
    for (let round = 0; round < 12; round++) {
      append(...many(300 + random.below(900), random.below(400)))
      if (random.chance(0.3)) log.roll()
      if (random.chance(0.3)) await log.index()
      world.now.isCold = () => random.chance(0.4)
      checkHot(hot, topic)
      await hot.settled()
      expect(checkHot(hot, topic)).toBeGreaterThan(0)
    }
    world.now.isCold = () => true
    expect(checkHot(hot, topic)).toBe(0)
    world.now.isCold = () => false
    expect(await warmUp(hot, topic)).toBe(topic.values.length)
  })

  it('keeps 4 KiB at most where it was asked for alone, itself where it is long, and a slab where it was asked for with others', async () => {
    append(...many(3_000, 100), ...many(1, 1_000))
    await warmUp(hot, topic)
    for (let offset = 0; offset < 100; offset++) expect(hot.find(0, offset)?.bytes.buffer.byteLength).toBe(4096)
    expect(hot.find(0, 3_000)?.bytes.buffer.byteLength).toBeLessThan(1_100)
    const offsets = topic.values.map((_, offset) => offset)
    for (const record of hot.findMany(0, offsets)) expect(record?.bytes.buffer.byteLength).toBeLessThanOrEqual(1 << 16)
  })

  it('is right also where the application has given the memory of the one before away', async () => {
    append(...many(20, 100))
    await warmUp(hot, topic)
    for (let offset = 0; offset < 20; offset++) {
      const record = hot.find(0, offset)
      expect(record && valueAt(record)).toEqual(new Uint8Array(topic.values[offset]))
      structuredClone(record?.bytes.buffer, { transfer: record ? [record.bytes.buffer] : [] })
    }
  })
})

describe('what is not published', () => {
  it('is not found, though it stands in the file', async () => {
    append(...many(10, 100))
    await warmUp(hot, topic)
    const { published } = log
    append(...many(10, 100))
    const { published: later } = log
    log.published = published
    expect(hot.find(0, 9)?.offset).toBe(9)
    expect(hot.find(0, 10)).toBeUndefined()
    expect(hot.chunk(0, 10, 20)).toBeUndefined()
    const { resume } = hot.chunk(0, 0, 10) ?? {}
    expect(resume && hot.chunkBehind(resume, 0, 10, 20, hot.target())).toBeUndefined()
    log.published = later
    expect(resume && hot.chunkBehind(resume, 0, 10, 20, hot.target())?.next).toBe(20)
    expect(hot.find(0, 10)?.offset).toBe(10)
  })
})

describe('damage', () => {
  it.each(['header', 'body'])(
    'to the %s of a batch hides all of it, before it was read, with and without an index',
    async (part) => {
      for (const isIndexed of [false, true]) {
        begin()
        append(...many(40, 100))
        const at = log.published
        append(...many(400, 100))
        append(...many(40, 100))
        if (isIndexed) {
          log.roll()
          await log.index()
        }
        world.disk.bytes(log.path(0))[at + (part === 'header' ? 24 : 30_000)] ^= 4
        hot.find(0, 0)
        await hot.settled()
        const found = topic.values.map((_, offset) => hot.find(0, offset) !== undefined)
        expect(found.slice(0, 40)).toEqual(many(40, 1).map(() => true))
        expect(found.slice(40, 440)).toEqual(many(400, 1).map(() => false))
        // Only the header that leads on is needed to come to what stands behind it.
        if (isIndexed || part === 'body') expect(found.slice(440)).toEqual(many(40, 1).map(() => true))
        checkHot(hot, topic)
        await hot.close()
      }
    },
  )

  it('to a batch that was found right is seen as soon as its file is opened again', async () => {
    vi.useFakeTimers()
    try {
      append(...many(400, 100))
      await warmUp(hot, topic)
      world.disk.bytes(log.path(0))[30_000] ^= 4
      expect(hot.find(0, 3)?.offset).toBe(3)
      await vi.advanceTimersByTimeAsync(hotIdleMs + 2_000)
      expect(world.now.openCount).toBe(0)
      hot.find(0, 3)
      await hot.settled()
      expect(hot.find(0, 3)).toBeUndefined()
    } finally {
      vi.useRealTimers()
    }
  })

  it('to an index leads to nothing wrong', async () => {
    append(...many(2_000, 100))
    log.roll()
    await log.index()
    const bytes = world.disk.bytes(log.path(0))
    const random = new Seeded(3)
    // Where the entries are: they have no checksum of their own.
    for (let count = 0; count < 400; count++) {
      bytes[bytes.length - 200 - random.below(32_000)] = random.below(256)
    }
    const found = await warmUp(hot, topic)
    expect(found).toBeGreaterThan(1_000)
    expect(found).toBeLessThan(2_000)
  })
})

describe('files', () => {
  it('of deleted segments are closed, and what stood in them is not found', async () => {
    for (let segment = 0; segment < 3; segment++) {
      append(...many(100, 100))
      log.roll()
    }
    await log.index()
    await warmUp(hot, topic)
    const { openCount } = world.now
    log.append([{ declare: 't', topic: 0, first: 200 }])
    log.deleteBelow(2)
    hot.dropDeleted()
    await hot.settled()
    expect(world.now.openCount).toBe(openCount - 2)
    expect([hot.find(0, 150), hot.find(0, 250)?.offset]).toEqual([undefined, 250])
  })

  it('that have another in their place are closed within a second, and what stands there is found', async () => {
    vi.useFakeTimers()
    try {
      for (let segment = 0; segment < 3; segment++) {
        append(...many(100, 100))
        log.roll()
      }
      await log.index()
      await warmUp(hot, topic)
      const { openCount } = world.now
      const file = log.path(1)
      const content = world.disk.bytes(file).slice()
      world.disk.remove(file)
      world.disk.create(file).write(0, content)
      await vi.advanceTimersByTimeAsync(1_000)
      expect(world.now.openCount).toBe(openCount - 1)
      expect([hot.find(0, 50)?.offset, hot.find(0, 250)?.offset]).toEqual([50, 250])
      expect(await warmUp(hot, topic)).toBe(300)
      expect(world.now.openCount).toBe(openCount)
    } finally {
      vi.useRealTimers()
    }
  })

  it('are no more than there may be, of the newest segments, opened as they are asked for', async () => {
    const segments = maxHotSegments + 20
    for (let segment = 0; segment < segments; segment++) {
      append(100, 100)
      if (segment < segments - 1) log.roll()
    }
    await log.index()
    hot.find(0, 2 * segments - 1)
    await hot.settled()
    expect(world.now.openCount).toBeLessThan(8)
    const found = await warmUp(hot, topic)
    expect(found).toBe(2 * maxHotSegments)
    expect(world.now.openCount).toBe(maxHotSegments)
    for (let more = 0; more < 50; more++) {
      log.roll()
      append(100)
      hot.find(0, topic.values.length - 1)
      await hot.settled()
      expect(hot.find(0, topic.values.length - 1)?.offset).toBe(topic.values.length - 1)
      expect(world.now.openCount).toBeLessThanOrEqual(maxHotSegments)
    }
  })

  it('are opened anew where they could not be before', async () => {
    vi.useFakeTimers()
    try {
      append(100)
      const { open } = world.now
      world.now.open = async () => undefined
      hot.find(0, 0)
      await hot.settled()
      world.now.open = open
      await vi.advanceTimersByTimeAsync(1_500)
      hot.find(0, 0)
      await hot.settled()
      expect(hot.find(0, 0)?.offset).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('are not opened any more once it was closed', async () => {
    append(100)
    hot.find(0, 0)
    await hot.close()
    hot.find(0, 0)
    await hot.settled()
    expect(world.now.openCount).toBe(0)
  })
})

it('a message longer than is copied here is left to a reader thread', async () => {
  append(10, maxHotBatchBytes, 10)
  await warmUp(hot, topic)
  expect([0, 1, 2].map((offset) => hot.find(0, offset)?.offset)).toEqual([0, undefined, 2])
})

it('a segment of too many topics is mapped as far as there is room, and no further', async () => {
  begin({ segmentBytes: 8 << 20 })
  append(10)
  const topics = maxMapRows / rowsPerMappedTopic + 1_000
  for (let id = 1; id < topics; id += 500) {
    const frames = many(500, 0).flatMap((_, index) => [
      { declare: `t${id + index}`, topic: id + index },
      { topic: id + index, value: payloadOf(id + index, 0, 20) },
    ])
    log.append(frames)
  }
  append(10)
  await warmUp(hot, topic)
  // It takes some calls to come so far.
  for (let look = 0; look < 50; look++) hot.find(topics - 100, 0)
  expect([hot.find(0, 0)?.offset, hot.find(0, 1)]).toEqual([0, undefined])
  expect([hot.find(100, 0)?.offset, hot.find(topics - 100, 0)]).toEqual([0, undefined])
})
