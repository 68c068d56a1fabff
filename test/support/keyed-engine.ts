/** A log whose topic `state` is compacted and `plain` is not, in the same segments, with writer and reaper driven by hand; and what was put into them. */
import { expect } from 'vitest'
import type { Retention } from '../../src/engine/terms.js'
import { ChunkCursor, partsOf } from '../../src/messages/chunk-cursor.js'
import { hasExpired } from '../../src/messages/expiry.js'
import type { ReaperParts } from '../../src/threads/reaper/reaper.js'
import { Engine } from './engine.js'
import { payloadOf } from './frames.js'
import { Seeded } from './seeded.js'
import { simulatedWorld } from './worlds.js'

const utf8 = (text: string) => new TextEncoder().encode(text)
const tombstone = utf8('{"bookend-tombstone":"1"}')
export const compactedSegmentBytes = 1 << 17
export const state = 0
export const plain = 1

export interface StoredPut {
  readonly key: string | undefined
  readonly value: string
  readonly isTombstone: boolean
}

export interface KeyedEngineOptions {
  world?: ReturnType<typeof simulatedWorld>
  seed?: number
  keys?: number
  reaper?: Partial<ReaperParts>
}

export function startKeyed({ world = simulatedWorld(), seed = 1, keys = 8, ...options }: KeyedEngineOptions = {}) {
  const random = new Seeded(seed)
  let now = Date.now()
  const reaper = { now: () => now, ...options.reaper }
  const engine = new Engine(world, {
    ringBytes: 1 << 20,
    segmentBytes: compactedSegmentBytes,
    reaper,
    writerNow: () => now,
  })
  const puts: StoredPut[][] = [[], []]
  for (const [topic, declare] of ['state', 'plain'].entries()) engine.offer([{ declare, topic }])
  engine.writer.doWork()
  const put = (topic: number, key: string | undefined, isTombstone = false) => {
    const value = isTombstone ? new Uint8Array(0) : payloadOf(topic, puts[topic].length, 100 + random.below(800))
    puts[topic].push({ key, value: Buffer.from(value).toString('latin1'), isTombstone })
    const extras = key === undefined ? undefined : { key: utf8(key), headers: isTombstone ? tombstone : undefined }
    expect(engine.offer([{ topic, value, ...(extras && { extras }) }])).toBeGreaterThanOrEqual(0)
    engine.writer.doWork()
    return puts[topic].length - 1
  }
  const any = () => {
    const topic = random.chance(0.8) ? state : plain
    const key = random.chance(0.05) ? undefined : `key ${random.below(keys)}`
    put(topic, key, topic === state && key !== undefined && random.chance(0.05))
  }
  /** Appends until the log is in `segment`, everything sealed before it flushed and indexed. */
  const fillTo = async (segment: number, one: () => unknown = any) => {
    while (engine.tail.segment < segment) {
      one()
      await engine.settle(1)
    }
    await engine.flush()
    await engine.settle(4)
  }
  /** Lets time pass and everything happen that is due. */
  const pass = async (ms = 5_000, rounds = 200) => {
    for (let round = 0; round < rounds; round++) {
      now += ms / rounds
      await engine.settle(1)
    }
  }
  const compact = async (retention: Retention = {}) => {
    engine.reaper.retain('state', { compact: true, minDirty: 0.05, ...retention })
    await pass()
  }
  /** Offsets that readers are given. */
  const readable = (topic: number, reading: Engine = engine): number[] => {
    const found: number[] = []
    const { length } = puts[topic]
    for (let offset = engine.cells.first(topic).load(); offset < length; ) {
      const chunk = reading.reader.read({ topic, offset, to: length })
      const cursor = new ChunkCursor(chunk.bytes, topic, offset, chunk.next)
      while (cursor.next()) {
        if (hasExpired(cursor.bytes, cursor.words, cursor.frame)) continue
        const { valueStart, valueEnd } = partsOf(cursor.words, cursor.frame)
        const value = Buffer.from(cursor.bytes.subarray(valueStart, valueEnd)).toString('latin1')
        expect(value, `${topic}/${cursor.offset}`).toBe(puts[topic][cursor.offset].value)
        found.push(cursor.offset)
      }
      offset = chunk.next
    }
    return found
  }
  /** What must be there: messages without a key, and of each key the latest of all, and of those in sealed segments. */
  const latest = (): number[] => {
    const sealedEnd = engine.catalog.stretches(state, 0, 1e9).findLast(({ segment }) => segment < engine.tail.segment)
    const seen = new Set<string>()
    return puts[state]
      .map((each, offset) => ({ ...each, offset }))
      .reverse()
      .filter(({ key, offset }) => {
        if (key === undefined || offset >= (sealedEnd?.end ?? 0)) return true
        const isLatest = !seen.has(key)
        seen.add(key)
        return isLatest
      })
      .map(({ offset }) => offset)
      .reverse()
  }
  const generations = () =>
    Array.from({ length: engine.tail.segment }, (_, segment) => engine.files.generationOf(segment))
  return { world, engine, puts, put, fillTo, pass, compact, readable, latest, generations, now: () => now }
}
