/** A log of a busy topic whose messages go at once, and a slow one whose messages stay, in the same segments; writer and reaper driven by hand. */
import { expect } from 'vitest'
import type { Retention } from '../../src/engine/terms.js'
import type { ReaperParts } from '../../src/threads/reaper/reaper.js'
import { Engine } from './engine.js'
import { payloadOf } from './frames.js'
import { expectRecords, Model, readAll, type Way } from './model.js'
import { simulatedWorld } from './worlds.js'

export const busy = 0
export const slow = 1
export const reclaimedSegmentBytes = 1 << 18

export interface ReclaimedOptions {
  /** Bytes of one message of each. */
  sizes?: readonly [busy: number, slow: number]
  isMapped?: boolean
  /** Messages that can be packed. */
  isText?: boolean
  reaper?: Partial<ReaperParts>
  beforeCopy?: () => Promise<void>
}

export function startReclaimed(options: ReclaimedOptions = {}) {
  const { sizes = [3_000, 900], isMapped = true, isText = false, beforeCopy } = options
  const world = simulatedWorld(undefined, isMapped)
  let now = Date.now()
  const reaper = { now: () => now, ...options.reaper }
  const engine = new Engine(world, { ringBytes: 1 << 20, segmentBytes: reclaimedSegmentBytes, reaper, beforeCopy })
  const model = new Model()
  for (const [topic, name] of ['busy', 'slow'].entries()) {
    model.declare(name)
    engine.offer([{ declare: name, topic }])
  }
  engine.writer.doWork()
  const add = (topic: number) => {
    const noise = payloadOf(topic, model.topics[topic].values.length, sizes[topic])
    const value = isText ? noise.map((byte) => 97 + (byte & 3)) : noise
    model.add(topic, value)
    expect(engine.append(topic, value)).toBeGreaterThanOrEqual(0)
    engine.writer.doWork()
  }
  /** Appends until the log is in `segment`, everything sealed before it flushed and indexed. */
  const fillTo = async (segment: number) => {
    while (engine.tail.segment < segment) {
      add(busy)
      add(slow)
      await engine.settle(1)
    }
    await engine.flush()
    await engine.settle(4)
  }
  /** From now on the messages of the busy topic may go; and everything happens that is due. */
  const letGo = async (retention: Retention = { maxBytes: 0 }) => {
    engine.reaper.retain('busy', retention)
    await pass()
  }
  /** Lets time pass and everything happen that is due. */
  const pass = async (ms = 5_000, rounds = 60) => {
    for (let round = 0; round < rounds; round++) {
      now += ms / rounds
      await engine.settle(1)
    }
  }
  const firsts = () => model.topics.map(({ id }) => engine.cells.first(id).load())
  const expectWhole = (way: Way = 'dense') => {
    for (const topic of model.topics) {
      const first = engine.cells.first(topic.id).load()
      const { length } = topic.values
      expectRecords(readAll(engine.reader, topic.id, first, length, way), topic, first, length)
    }
  }
  const generations = () =>
    Array.from({ length: engine.tail.segment }, (_, segment) => engine.files.generationOf(segment))
  return { world, engine, model, add, fillTo, letGo, pass, firsts, expectWhole, generations }
}
