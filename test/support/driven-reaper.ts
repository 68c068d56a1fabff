/** A reaper that a test drives by hand, and what it has asked of the disk. */
import { expect } from 'vitest'
import { Engine, type EngineOptions } from './engine.js'
import { payloadOf } from './frames.js'
import { Model } from './model.js'
import type { DiskCall } from './simulated-disk.js'
import { simulatedWorld } from './worlds.js'

/** Writer and reaper over a log of one topic on the simulated disk, its declaration written. */
export function start(options: EngineOptions = {}) {
  const world = simulatedWorld()
  const engine = new Engine(world, { ringBytes: 1 << 20, ...options })
  const model = new Model()
  model.declare('a')
  engine.offer([{ declare: 'a', topic: 0 }])
  engine.writer.doWork()
  const add = (bytes: number, count = 1) => {
    for (let index = 0; index < count; index++) {
      const value = payloadOf(0, model.topics[0].values.length, bytes)
      model.add(0, value)
      expect(engine.append(0, value)).toBeGreaterThanOrEqual(0)
      engine.writer.doWork()
    }
  }
  /** Appends until the log is in `segment`, with the reaper at work. */
  const fillTo = async (segment: number) => {
    while (engine.tail.segment < segment) {
      add(60_000)
      await engine.settle(2)
    }
  }
  const trim = (before: number) => {
    engine.offer([{ declare: 'a', topic: 0, first: before }])
    engine.writer.doWork()
  }
  return { world, engine, model, add, fillTo, trim }
}

/** Of the first such call at or behind `from`; -1: there was none. */
export const indexOfCall = (calls: readonly DiskCall[], call: DiskCall['call'], file: string, from = 0) =>
  calls.findIndex((what, index) => index >= from && what.call === call && what.file === file)
