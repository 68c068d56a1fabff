/** The power goes, or the process, at each call of a packing, on the simulated disk: what the next owner finds is what was there, and it packs on. */
import assert from 'node:assert/strict'
import { hasFeature } from '../../src/ring/shared-state.js'
import { Engine } from './engine.js'

import { payloadOf } from './frames.js'
import { expectPrefix, expectReadable, Model } from './model.js'
import { type ImageStyle, imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { simulatedWorld, type World } from './worlds.js'

const segmentBytes = 1 << 18
const hour = 3_600_000
/** Sealed, and to be packed. */
const segments = 2

export interface PackingCuts {
  /** Of the device, from the first of a packing to the last. */
  calls: number
  images: number
  /** In how many of them one segment was packed and the other was not. */
  between: number
}

/** @param stylesOf what is left behind a call, in each of which ways: `kept` is a process that is killed */
export async function cutWhilePacking(
  random: Seeded,
  stylesOf: () => readonly ImageStyle[] = () => imageStyles,
): Promise<PackingCuts> {
  const world = simulatedWorld(undefined, random.chance(0.5))
  const model = new Model()
  const { engine, packAll } = startPacking(world, 'a')
  for (const [topic, name] of ['a', 'b'].entries()) {
    model.declare(name)
    engine.offer([{ declare: name, topic }])
  }
  while (engine.tail.segment < segments) {
    const topic = random.below(2)
    // Like text: two bits of a byte say something.
    const value = payloadOf(topic, model.topics[topic].values.length, random.below(6_000)).map(
      (byte) => 97 + (byte & 3),
    )
    assert(engine.append(topic, value) >= 0)
    model.add(topic, value)
    await engine.settle(1)
  }
  await engine.flush()
  world.disk.settle()
  await packAll()
  const { events } = world.disk
  const tally: PackingCuts = { calls: events.length, images: 0, between: 0 }
  for (let call = 0; call <= events.length; call++) {
    for (const style of stylesOf()) {
      const disk = world.disk.imageAfter(call, random, style)
      const next = startPacking(simulatedWorld(disk, random.chance(0.5)), style === 'kept' ? 'a' : 'b')
      try {
        const packed = expectAll(next.engine, model)
        if (packed > 0 && packed < segments) tally.between += 1
        const left = disk.list(next.engine.files.directory).filter((name) => name.endsWith('.new'))
        assert.deepEqual(left, [], 'a file that was half written is left behind')
        if (random.chance(0.1)) {
          await next.packAll()
          assert.equal(expectAll(next.engine, model), segments)
        }
      } catch (error) {
        throw new Error(`call ${call} of ${events.length}, ${style}: ${(error as Error).message}`, { cause: error })
      }
      tally.images += 1
    }
  }
  return tally
}

/** An owner that packs what is an hour old, when it is told to. */
function startPacking(world: World, boot: string) {
  let now = Date.now()
  const reaper = { now: () => now, compress: { afterMs: hour, codec: 'deflate' } as const }
  const engine = new Engine(world, { bootId: boot.repeat(32), segmentBytes, ringBytes: 1 << 20, reaper })
  const packAll = async () => {
    now += 2 * hour
    for (let turn = 0; packedOf(engine) < segments; turn++) {
      assert(turn < 10_000, 'nothing more is packed')
      await engine.settle(1)
    }
    await engine.settle()
  }
  return { engine, packAll }
}

function packedOf({ files }: Engine): number {
  return files.list().filter((segment) => files.isPacked(segment)).length
}

/** @returns how many segments are packed */
function expectAll(engine: Engine, model: Model): number {
  expectPrefix(engine.recovered, model, model.order.length)
  engine.readWindows.closeAll()
  expectReadable(engine.reader, engine.recovered, model)
  const packed = packedOf(engine)
  assert(packed === 0 || hasFeature(engine.state, 'packed'), 'the log does not say that it has packed segments')
  return packed
}
