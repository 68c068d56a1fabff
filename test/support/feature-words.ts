/** Feature words are stated before what they speak of is written: whatever the moment of a power cut, they are there, and the log opens. */
import assert from 'node:assert/strict'
import { type Features, joinFeatures, noFeatures, sameFeatures } from '../../src/format/features.js'
import { ControlFile } from '../../src/storage/files/control-file.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { SimulatedDisk } from './simulated-disk.js'

const record = { epoch: 3, isClean: false, published: 0, durable: 0, trim: 0, time: 1, bootId: 'a'.repeat(32) }

export function logWithControl(): { disk: SimulatedDisk; control: ControlFile } {
  const disk = new SimulatedDisk()
  const control = ControlFile.create(disk, '/log', 1 << 20, 1)
  control.write(record)
  control.sync()
  disk.settle()
  return { disk, control }
}

/** Which words a file says, if it is whole. */
export function featuresOf(disk: SimulatedDisk): Features | undefined {
  const found = ControlFile.open(disk, '/log', 'read')
  found?.close()
  assert.deepEqual({ ...found?.found, sequence: 1 }, { ...record, sequence: 1 })
  return found?.identity.features
}

/** @returns how many images of the disk were looked at; throws where one says less than was durable, or what was never said */
export function stateAndCut(random: Seeded): number {
  const { disk, control } = logWithControl()
  // How many events there were when each of the words was durable.
  const durable: { words: Features; at: number }[] = [{ words: noFeatures, at: 0 }]
  // Compatible ones only: this release has to open what it finds.
  for (let steps = 1 + random.below(3); steps > 0; steps--) {
    control.require({ ...noFeatures, compatible: 2 ** random.below(32) })
    durable.push({ words: control.identity.features, at: disk.events.length })
  }
  let images = 0
  for (let cut = 0; cut <= disk.events.length; cut++) {
    for (const style of imageStyles) {
      const found = featuresOf(disk.imageAfter(cut, random, style))
      const least = durable.filter(({ at }) => at <= cut).at(-1)
      assert.ok(found !== undefined && least !== undefined, `cut at ${cut}, ${style}: no log is left`)
      assert.ok(
        durable.some(({ words }) => sameFeatures(words, found)),
        `cut at ${cut}, ${style}: words that nobody has said`,
      )
      assert.ok(
        sameFeatures(joinFeatures(found, least.words), found),
        `cut at ${cut}, ${style}: words that were durable are gone`,
      )
      images += 1
    }
  }
  return images
}
