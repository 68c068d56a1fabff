/** Chunks that stand in the log itself: the same records as in copies, under pins that are given back, and damage found in place. */
import fs from 'node:fs'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ChunkCursor, partsOf } from '../../../src/messages/chunk-cursor.js'
import type { Chunk, HeldChunk, Resume } from '../../../src/storage/read/chunk.js'
import { Engine } from '../../support/engine.js'
import { groupOf, payloadOf, type TestFrame } from '../../support/frames.js'
import { caught } from '../../support/model.js'
import { Seeded } from '../../support/seeded.js'
import { StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { memoryKinds, realWorld, type World } from '../../support/worlds.js'

const worlds: World[] = []
function world(kind: 'file' | 'koffi' | 'mmap-io'): World {
  worlds.push(realWorld(kind))
  return worlds[worlds.length - 1]
}
afterEach(() => {
  for (const used of worlds.splice(0)) used.dispose()
})

interface Found {
  offset: number
  /** Length and checksum: quicker to compare. */
  value: string
}

const told = (value: Uint8Array) => `${value.length} ${crc32(value)}`

/** The records of one chunk. */
function recordsIn({ bytes, next }: Chunk, topic: number, from: number): Found[] {
  const found: Found[] = []
  const cursor = new ChunkCursor(bytes, topic, from, next)
  while (cursor.next()) {
    const { valueStart, valueEnd } = partsOf(cursor.words, cursor.frame)
    found.push({ offset: cursor.offset, value: told(bytes.subarray(valueStart, valueEnd)) })
  }
  return found
}

/** Reads on from `from` to `to`, and says how many chunks stood in place. */
function readAll(log: StorageLog, way: 'read' | 'readMapped', topic: number, from: number, to: number) {
  const found: Found[] = []
  let inPlace = 0
  let resume: Resume | undefined
  for (let offset = from; offset < to; ) {
    const chunk: Chunk & Partial<HeldChunk> = log.reader[way]({ topic, offset, to, resume })
    if (pins(log) > 0) inPlace += 1
    found.push(...recordsIn(chunk, topic, offset))
    chunk.release?.()
    expect(pins(log)).toBe(0)
    expect(chunk.next).toBeGreaterThan(offset)
    offset = chunk.next
    resume = chunk.resume
  }
  return { found, inPlace }
}

function pins(log: { slots: StorageLog['slots'] }): number {
  let sum = 0
  for (const row of log.slots.rows()) if (row.access === 'read') sum += row.pins
  return sum
}

/** Topic 0 in every batch, 1 in runs of its own, 2 once in a while, 3 large; records of all sizes, over several segments. */
function filled(used: World) {
  const log = new StorageLog(used)
  const random = new Seeded(7)
  const next = [0, 0, 0, 0]
  const frame = (topic: number, bytes: number): TestFrame => {
    const offset = next[topic]
    next[topic] += 1
    return { topic, value: payloadOf(topic, offset, bytes) }
  }
  for (const topic of next.keys()) log.append([{ declare: `t${topic}`, topic }])
  for (let round = 0; log.tail.segment < 4; round++) {
    const batch: TestFrame[] = []
    for (let index = 0; index < 40; index++) {
      batch.push(frame(0, Math.floor(random.unit() * 900)))
      if (random.unit() < 0.3) batch.push(frame(1, Math.floor(random.unit() * 200)))
    }
    if (round % 25 === 0) batch.push(frame(2, 30))
    log.append(batch)
    if (round % 5 === 0) log.append(Array.from({ length: 50 }, () => frame(1, 100)))
    if (round % 20 === 0) {
      const values = [payloadOf(3, next[3], 150_000), payloadOf(3, next[3] + 1, 150_000)]
      next[3] += 2
      log.append(groupOf(3, values), true)
    }
  }
  return { log, next }
}

for (const { kind, missing } of memoryKinds()) {
  describe.skipIf(missing !== undefined)(`reading in place, memory ${kind}`, () => {
    it('gives the bytes that copies give, of dense and sparse topics, from any offset', () => {
      const { log, next } = filled(world(kind))
      const inPlace = next.map((to, topic) => {
        const copied = readAll(log, 'read', topic, 0, to).found
        expect(copied.length).toBe(to)
        const mapped = readAll(log, 'readMapped', topic, 0, to)
        expect(mapped.found).toEqual(copied)
        for (const from of [1, Math.floor(to / 3), to - 1]) {
          const end = Math.min(to, from + 100)
          expect(readAll(log, 'readMapped', topic, from, end).found).toEqual(copied.slice(from, end))
        }
        return mapped.inPlace
      })
      if (kind === 'koffi') {
        expect(inPlace[0]).toBeGreaterThan(5)
        expect(inPlace[1]).toBeGreaterThan(0)
      } else expect(inPlace).toEqual([0, 0, 0, 0])
      log.close(true)
      expect([...log.slots.rows()]).toEqual([])
    })
  })
}

const isMissing = memoryKinds().find(({ kind }) => kind === 'koffi')?.missing !== undefined

describe.skipIf(isMissing)('a chunk in place', () => {
  it('ends before damage, which is then told as for copies, and leaves no pin', () => {
    const { log, next } = filled(world('koffi'))
    log.close(true)
    const path = log.path(1)
    const bytes = fs.readFileSync(path)
    bytes[testSegmentBytes >>> 1] ^= 1
    fs.writeFileSync(path, bytes)
    const damaged = new StorageLog(log.world)
    const errorOf = (way: 'read' | 'readMapped') => {
      const error = caught(() => readAll(damaged, way, 0, 0, next[0]))
      expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT' })
      const { offset, position, next: onwards } = error as unknown as Record<string, number>
      return { offset, position, onwards }
    }
    expect(errorOf('readMapped')).toEqual(errorOf('read'))
    expect(pins(damaged)).toBe(0)
    damaged.close(true)
  })

  it('whose frames have lengths that somebody made up, checksums right, is read as far as it goes, and no pin stays', () => {
    const log = new StorageLog(world('koffi'))
    for (const topic of [0, 1]) log.append([{ declare: `t${topic}`, topic }])
    const frame = (topic: number, offset: number) => ({ topic, value: payloadOf(topic, offset, 40) })
    log.append([frame(0, 0), frame(1, 0), frame(0, 1)])
    log.flush()
    const { batch, frame: first } = log.catalog.locate(0, 0) ?? { batch: 0, frame: 0 }
    const bytes = fs.readFileSync(log.path(0))
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const end = batch + view.getUint32(batch + 8, true)
    // Rounded up with its header it comes to nothing: whoever walks by it stays where he is.
    view.setUint32(first + 16 + 40, 0xfffffff0, true)
    view.setUint32(batch + 36, crc32(bytes.subarray(batch + 48, end)), true)
    view.setUint32(batch + 4, crc32(bytes.subarray(batch + 8, batch + 48)), true)
    fs.writeFileSync(log.path(0), bytes)
    log.close(true)
    const again = new StorageLog(log.world)
    const { next } = again.recovered.topics.find(({ id }) => id === 0) ?? { next: 0 }
    expect(next).toBe(1)
    for (const way of ['readMapped', 'read'] as const) {
      const chunk: Chunk & Partial<HeldChunk> = again.reader[way]({ topic: 0, offset: 0, to: next })
      expect(recordsIn(chunk, 0, 0).map(({ offset }) => offset)).toEqual([0])
      chunk.release?.()
      expect(chunk.next).toBe(1)
    }
    expect(pins(again)).toBe(0)
    again.close(false)
  })

  it('that cannot be faulted in is an error, not a signal, and leaves no pin', () => {
    const { log } = filled(world('koffi'))
    const first = log.reader.readMapped({ topic: 0, offset: 0, to: 1_000 })
    const { next: offset, resume } = first
    first.release()
    fs.truncateSync(log.path(0), 4096)
    const error = caught(() => log.reader.readMapped({ topic: 0, offset, to: 1_000, resume }))
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', message: expect.stringContaining('EFAULT') })
    expect(pins(log)).toBe(0)
    log.readWindows.closeAll()
    log.tailWindows.closeAll()
  })

  it('keeps its bytes whatever is retired and trimmed meanwhile; its segment goes when it is released', async () => {
    const engine = new Engine(world('koffi'), { ringBytes: 1 << 20, mapTtlMs: 1_000 })
    let now = 5_000
    engine.slots.nowMs = () => now
    engine.offer([{ declare: 'a', topic: 0 }])
    for (let offset = 0; engine.tail.segment < 3; offset++) {
      engine.append(0, payloadOf(0, offset, 60_000))
      await engine.settle(3)
    }
    await engine.flush()
    const chunk = engine.reader.readMapped({ topic: 0, offset: 0, to: 3 })
    const pinned = () => [...engine.slots.rows()].filter((row) => row.access === 'read' && row.segment === 0)
    expect(pinned()).toMatchObject([{ pins: 1, state: 'idle' }])
    engine.offer([{ declare: 'a', topic: 0, first: 40 }])
    for (let round = 0; round < 20; round++) {
      now += 1_000
      await engine.settle(2)
      engine.readWindows.dropRetired()
      engine.readWindows.dropBelow(2)
    }
    expect(engine.files.list()[0]).toBe(0)
    expect(pinned()).toMatchObject([{ pins: 1, state: 'idle' }])
    expect(recordsIn(chunk, 0, 0)).toEqual(
      [0, 1, 2].map((offset) => ({ offset, value: told(payloadOf(0, offset, 60_000)) })),
    )
    chunk.release()
    expect(chunk.bytes.length).toBe(0)
    // The reaper pauses before it tries again.
    await vi.waitFor(
      async () => {
        now += 1_000
        await engine.settle(2)
        engine.readWindows.dropRetired()
        expect(engine.files.list()[0]).toBeGreaterThan(0)
      },
      { timeout: 120_000, interval: 10 },
    )
    expect(pinned()).toEqual([])
    await engine.closeWindows()
    expect([...engine.slots.rows()]).toEqual([])
  })
})
