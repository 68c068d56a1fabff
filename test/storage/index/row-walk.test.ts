/** The index made of what the writer has handed over, against the one derived from the batches. */
import { expect, it } from 'vitest'
import type { Extras } from '../../../src/engine/terms.js'
import { batchHeaderBytes } from '../../../src/format/batch-layout.js'
import { frameBytes, frameFlag } from '../../../src/format/frame-layout.js'
import { segmentHeaderBytes } from '../../../src/format/segment-layout.js'
import { failedCall } from '../../../src/memory/errno.js'
import { type Legible, LiveIndex } from '../../../src/storage/index/live-index.js'
import { catchUpByRows } from '../../../src/storage/index/row-walk.js'
import { allocateRows, RowReader, RowWriter, topicMark } from '../../../src/storage/rows/rows.js'
import { payloadOf, type TestFrame } from '../../support/frames.js'
import { whatIsStored } from '../../support/indexes.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const ENOSPC = 28
const topics = 4
const steps = 60
const extras: (Extras | undefined)[] = [
  { key: Uint8Array.of(1), headers: undefined },
  { key: undefined, headers: Buffer.from('{"a":"b"}') },
  undefined,
]

/** Runs of one topic or of many, of one length or of many, groups, writes that break off, trims, keys, and another owner now and then. */
function randomLog(random: Seeded, rowBytes: number) {
  const world = simulatedWorld()
  let log = new StorageLog(world, { rowBytes })
  for (let topic = 0; topic < topics; topic++) log.append([{ declare: `topic-${topic}`, topic }])

  const nextRun = (): TestFrame[] => {
    const topic = random.chance(0.5) ? random.below(topics) : undefined
    const bytes = random.chance(0.5) ? random.below(200) : undefined
    const mayHaveExtras = random.chance(0.2)
    const most = random.chance(0.2) ? 70_000 : 300
    return Array.from({ length: 1 + random.below(random.chance(0.3) ? 300 : 4) }, (_, index) => {
      const value = payloadOf(0, index, bytes ?? random.below(most / (1 + index)))
      const more = mayHaveExtras ? random.pick(extras) : undefined
      return { topic: topic ?? random.below(topics), value, ...(more && { extras: more }) }
    })
  }
  const grouped = (run: readonly TestFrame[]) =>
    run.map((frame, index) => ({ ...frame, flags: index < run.length - 1 ? frameFlag.continues : 0 }))

  const append = (): void => {
    const run = nextRun()
    const breaksAt = random.chance(0.2) ? random.below(2) : -1
    let writes = 0
    world.disk.fault = ({ call, file }) => {
      if (call !== 'write' || !file.endsWith('.seg') || writes++ !== breaksAt) return
      throw Object.assign(failedCall('pwritev', ENOSPC), { written: random.below(10_000) })
    }
    const isGroup = random.chance(0.3)
    try {
      log.append(isGroup ? grouped(run) : run, isGroup)
    } catch (error) {
      if ((error as { errno?: number }).errno !== ENOSPC) throw error
      log.publish()
    } finally {
      world.disk.fault = () => {}
    }
  }

  for (let step = 0; step < steps; step++) {
    const topic = random.below(topics)
    const what = random.unit()
    if (what < 0.05) {
      log.writeControl(false)
      log.close(false)
      log = new StorageLog(world, { rowBytes })
    } else if (what < 0.1) log.roll()
    else if (what < 0.2) {
      log.tail.trim(topic, random.below(log.tail.next(topic) + 1))
      log.publish()
    } else append()
  }
  log.roll()
  return { world, log }
}

it.each(seedsFrom(1, 12))(
  'is the same, whatever was appended, broke off or had no room for its row (SEED=%i)',
  (seed) => {
    const random = new Seeded(seed)
    const { world, log } = randomLog(random, random.pick([16, 1 << 10, 1 << 16]))
    const spare = new Map<number, Uint32Array<ArrayBuffer>>()
    const stepBytes = random.pick([10_000, testSegmentBytes])
    expect(log.tail.segment).toBeGreaterThan(0)
    for (let segment = 0; segment < log.tail.segment; segment++) {
      const base = log.files.base(segment)
      const window = world.plainMemory.open(log.path(segment), testSegmentBytes, 'read')
      const derived = new LiveIndex(base, testSegmentBytes)
      derived.catchUp(window, testSegmentBytes, true)
      const handedOver = new LiveIndex(base, testSegmentBytes, true, spare)
      const step = { base, segmentBytes: testSegmentBytes, stepBytes, trustedEpoch: log.epoch }
      for (let before = -1; before < handedOver.end && !handedOver.isSealed; ) {
        before = handedOver.end
        catchUpByRows(handedOver, log.rows, window, step)
      }
      window.close()
      expect([handedOver.addsUp, handedOver.damages]).toEqual([true, []])
      expect(whatIsStored(handedOver)).toEqual(whatIsStored(derived))
      // What the next one finds in there does not matter.
      for (const { topic, words } of handedOver.topics.values()) spare.set(topic, words.fill(seed))
    }
    log.close(false)
  },
)

/** A log of one topic, `count` messages one by one, its first segment sealed. */
function sealedLog(count: number) {
  const world = simulatedWorld()
  const log = new StorageLog(world)
  log.append([{ declare: 'a', topic: 0 }])
  for (let index = 0; index < count; index++) log.append([{ topic: 0, value: payloadOf(0, index, 100 + (index % 3)) }])
  log.roll()
  const window = world.plainMemory.open(log.path(0), testSegmentBytes, 'read')
  const step = { base: 0, segmentBytes: testSegmentBytes, stepBytes: testSegmentBytes, trustedEpoch: log.epoch }
  return { log, window, step }
}

it('is made without a look at the batches that have a row', () => {
  const { log, window, step } = sealedLog(1_000)
  const index = new LiveIndex(0, testSegmentBytes)
  const looks: [number, number][] = []
  const watched: Legible = {
    read: (at, length) => window.read(at, length),
    readInto: (target, targetAt, at, length) => {
      looks.push([at, at + length])
      window.readInto(target, targetAt, at, length)
    },
  }
  catchUpByRows(index, log.rows, watched, step)
  window.close()
  expect(index.isSealed && index.entryCount === 1_000).toBe(true)
  const seal = index.end - batchHeaderBytes
  // What declares the topic, with its first record, and the seal.
  expect(looks.map(([from, to]) => [from, to < 1_000 || to > seal])).toEqual([
    [segmentHeaderBytes, true],
    [seal, true],
  ])
  log.close(false)
})

it.each([
  ['do not fill their batch', [topicMark, 100], -8],
  ['go beyond it', [topicMark, 100], 8],
  ['are of a topic that nobody has declared', [topicMark + 7, 100], 0],
  ['begin without a topic', [100], 0],
])('does not add up where rows %s', (_, words, more) => {
  const { log, window, step } = sealedLog(1)
  const first = new LiveIndex(0, testSegmentBytes)
  first.catchUp(window, testSegmentBytes, true)
  const [{ words: entries }] = first.topics.values()
  const shared = allocateRows(1 << 10)
  const writer = new RowWriter(shared)
  // In the place of the seal, behind all records.
  const at = first.end - batchHeaderBytes
  expect(entries[0]).toBeLessThan(at)
  writer.put(at, batchHeaderBytes + frameBytes(100) + more, { words: Uint32Array.from(words), count: words.length })
  writer.publish()
  const index = new LiveIndex(0, testSegmentBytes)
  catchUpByRows(index, new RowReader(shared), window, step)
  expect([index.addsUp, index.isSealed]).toEqual([false, false])
  window.close()
  log.close(false)
})
