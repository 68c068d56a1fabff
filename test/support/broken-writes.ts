/**
 * Writes that break off half way on a disk that is full for a moment, in front of all that a writer does next. Behind each step: what is
 * published is right, and a crash finds a prefix of it, in whole groups, without damage.
 */
import { frameFlag, frameKind } from '../../src/format/frame-layout.js'
import { failedCall } from '../../src/memory/errno.js'
import { Engine } from './engine.js'
import { groupOf, payloadOf, sizeOf } from './frames.js'
import { expectPrefix, expectReadable, expectRecords, Model, readAll } from './model.js'
import type { Seeded } from './seeded.js'
import { StorageLog } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const ENOSPC = 28
const steps = 6
const trimmable = 20

/** @returns how many crashes it looked at. @throws what was not as promised */
export function breakWrites(random: Seeded): number {
  const world = simulatedWorld()
  const engine = new Engine(world, { ringBytes: 1 << 21 })
  const { writer, cells, reader } = engine
  const model = new Model()
  let crashes = 0
  const nextValue = (continues: boolean): Uint8Array => {
    const bytes = random.chance(0.5) ? random.below(300) : random.below(70_000)
    const value = payloadOf(0, model.topics[0].values.length, bytes)
    model.add(0, value, continues)
    return value
  }
  for (const [topic, name] of ['a', 'b'].entries()) {
    model.declare(name)
    engine.offer([{ declare: name, topic }])
  }
  for (let count = 0; count < trimmable; count++) {
    engine.offer([{ topic: 1, value: payloadOf(1, count, 10) }])
    model.add(1, payloadOf(1, count, 10))
  }
  writer.doWork()

  const look = (): void => {
    crashes += 1
    const published = [0, 1].map((topic) => cells.next(topic).load())
    for (const [topic, next] of published.entries()) {
      const first = cells.first(topic).load()
      expectRecords(readAll(reader, topic, first, next, 'dense'), model.topics[topic], first, next)
    }
    const { recovered, reader: readerAfter } = new StorageLog(simulatedWorld(world.disk.copy()))
    expectPrefix(recovered, model, published[0] + published[1])
    expectReadable(readerAfter, recovered, model)
  }

  for (let step = 0; step < steps; step++) {
    const isAwaited = random.chance(0.5)
    const after = random.below(4)
    // What was refused comes back after a crash if it can neither be written nor be erased.
    const count = isAwaited ? random.below(2) : random.below(4)
    let writes = 0
    world.disk.fault = ({ call, file }) => {
      if (call !== 'write' || !file.endsWith('.seg')) return
      writes += 1
      if (writes <= after || writes > after + count) return
      throw Object.assign(failedCall('pwritev', ENOSPC), { written: random.below(300_000) })
    }
    const isGroup = random.chance(0.5)
    const last = random.below(random.chance(0.3) ? 20 : 8)
    const flags = isAwaited ? frameFlag.awaited : 0
    const payloads = Array.from({ length: last + 1 }, (_, index) => nextValue(isGroup && index < last))
    const frames = isGroup ? groupOf(0, payloads, flags) : payloads.map((value) => ({ topic: 0, value, flags }))
    let at = engine.offer(frames)
    if (at < 0) throw new Error('the ring is large enough')
    writer.doWork()
    let refused = 0
    for (const frame of frames) {
      if (engine.kindAt(at) === frameKind.cancelled) refused += 1
      at += sizeOf(frame)
    }
    model.cutTo(model.order.length - refused)
    for (let round = 0; round < 3; round++) {
      look()
      if (random.chance(0.3)) trim(engine, random)
      look()
      writer.doWork()
    }
  }
  return crashes
}

/** Past the ring, as the application's thread asks for it at any moment. */
function trim({ writer, cells }: Engine, random: Seeded): void {
  try {
    writer.trim(1, Math.min(trimmable, cells.first(1).load() + 1 + random.below(3)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
