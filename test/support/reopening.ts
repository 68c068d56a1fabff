/** A log that was closed in order is opened again, and the power goes: that it was closed must not be believed once more. */
import assert from 'node:assert/strict'
import { type OpenLog, openLog } from '../../src/storage/life/open-log.js'
import { payloadOf } from './frames.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { StorageLog } from './storage-log.js'
import { type SimulatedWorld, simulatedWorld } from './worlds.js'

/** @returns how many images of the disk were looked at; throws where one is believed too much */
export function reopenAndCut(random: Seeded): number {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes: 1 << 18 })
  log.append([{ declare: 'orders', topic: 0 }])
  const count = random.below(20)
  for (let index = 0; index < count; index++) log.append([{ topic: 0, value: payloadOf(0, index, 1_000) }])
  log.close(true)
  world.disk.settle()
  const { epoch } = opened(world)
  // From here on it may append, and what it appends may be stored or not.
  for (const style of imageStyles) {
    const image = world.disk.imageAfter(world.disk.events.length, random, style)
    const next = opened(simulatedWorld(image))
    assert.equal(next.control.found?.isClean, false, `${style}: the log is taken for one that was closed`)
    assert.ok(next.epoch > epoch, `${style}: an epoch is given out twice`)
    assert.equal(next.recovered.topics[0].next, count)
  }
  return imageStyles.length
}

function opened({ disk, directory, plainMemory: memory }: SimulatedWorld): OpenLog {
  const log = openLog({ disk, directory, segmentBytes: undefined, readOnly: false, now: () => 1, memory })
  log.control.close()
  return log
}
