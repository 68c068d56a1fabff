/**
 * Flushes, with the writer's step behind every touch of the reaper, and the reaper's behind every touch of the writer: what is answered is on
 * the device, and what is wished for gets there.
 */
import { frameFlag } from '../../src/format/frame-layout.js'
import { errno, failedCall } from '../../src/memory/errno.js'
import { Engine } from './engine.js'
import { payloadOf } from './frames.js'
import { behindEveryTouch } from './interleaving.js'
import type { Seeded } from './seeded.js'
import { simulatedWorld } from './worlds.js'

const steps = 12

/** @returns how often it looked. @throws what was not as promised */
export async function watchFlushing(random: Seeded): Promise<number> {
  const world = simulatedWorld()
  const engine = new Engine(world, {
    segmentBytes: 8 << 20,
    ringBytes: 1 << 18,
    flushIntervalMs: random.pick([1, 3_600_000]),
    flushesLone: random.chance(0.7),
  })
  const { state, lane, producer, writer, reaper } = engine
  engine.offer([{ declare: 'a', topic: 0 }])
  writer.doWork()
  reaper.tend()
  /** Ring positions behind frames, and where the log ends behind them. */
  const frames: { end: number; position: number }[] = []
  /** Ring positions behind frames that the writer has not taken, as far as is known. */
  let waiting: number[] = []
  let count = 0
  let looks = 0
  /** The log is on the device up to here. */
  let device = 0
  /** That flush fails, once. */
  const failing = random.chance(0.3) ? 2 + random.below(8) : 0
  let syncs = 0
  /** The writer works, and not the reaper in the middle of that; what the reaper has begun off its thread goes on when neither works. */
  let isWriting = false
  // One segment holds it all.
  world.disk.fault = ({ call, file }) => {
    if (call !== 'sync' || file !== engine.files.path(0)) return
    if (!state.flushing.isOf(isWriting ? 'writer' : 'reaper')) throw new Error('somebody flushes in no turn of its own')
    syncs += 1
    if (syncs === failing) throw failedCall('fdatasync', errno.EIO)
    // What was lost then no later flush brings back.
    if (failing === 0 || syncs < failing) device = state.published.load()
  }

  const append = (): void => {
    const value = payloadOf(0, count, random.below(300))
    if (random.chance(0.5)) lane.flushWished.store(producer.tail + 1)
    if (engine.offer([{ topic: 0, value, flags: frameFlag.awaited }]) < 0) throw new Error('the ring is large enough')
    count += 1
    waiting.push(producer.tail)
  }
  const look = (): void => {
    looks += 1
    const [head, flushed] = [lane.ringHead.load(), lane.flushedTo.load()]
    if (flushed > head) throw new Error(`flushed to ${flushed}, published to ${head}`)
    const taken = waiting.filter((end) => end <= head)
    waiting = waiting.filter((end) => end > head)
    // At the latest: nothing else is written.
    for (const end of taken) frames.push({ end, position: engine.tail.position })
    // What a flush was asked for is said in `durable`, and it may have been by range.
    const safe = Math.min(device, state.durable.load())
    for (const { end, position } of frames)
      if (end <= flushed && position > safe)
        throw new Error(
          `the frame behind ring position ${end} is at ${position}, and the device has the log up to ${safe}`,
        )
  }
  const work = (isWriter: boolean): void => {
    const before = isWriting
    isWriting = isWriter
    if (isWriter) writer.doWork()
    else reaper.tend()
    isWriting = before
  }
  const write = (): void => {
    append()
    work(true)
    look()
  }
  const flush = (): void => {
    work(false)
    look()
  }

  for (let step = 0; step < steps; step++) {
    engine.letTimePass(random.below(3))
    const share = random.pick([0.02, 0.1, 0.5])
    const sometimes = (other: () => void) => () => (random.chance(share) ? other() : look())
    // The look behind it is its own step: it takes several words for those of one moment.
    if (random.chance(0.5)) await behindEveryTouch(sometimes(write), () => work(false))
    else {
      append()
      await behindEveryTouch(sometimes(flush), () => work(true))
    }
    look()
    await new Promise(setImmediate)
  }
  work(true)
  const wished = Math.min(lane.flushWished.load(), producer.tail)
  for (let turn = 0; turn < 4; turn++) {
    reaper.tend()
    await new Promise(setImmediate)
  }
  look()
  if (failing > 0 && syncs >= failing) {
    if (state.reaperErrno.load() !== errno.EIO) throw new Error('a failed flush has been forgotten')
  } else if (lane.flushedTo.load() < wished)
    throw new Error(`flushed to ${lane.flushedTo.load()}, and wished to ${wished}`)
  return looks
}
