/** Checking and repairing logs in which topics were moved forward: copies that do not count any more lie in front. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collectTopic } from '../../../src/storage/append/topic-mover.js'
import { summarize } from '../../../src/storage/check/log-summary.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { checkedLog, readWhatIsLeft, repairedLog } from '../../support/repair.js'
import { Seeded } from '../../support/seeded.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { bootA, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { type SimulatedWorld, simulatedWorld } from '../../support/worlds.js'

const names = ['dead', 'large']
const dead = 0

interface Sample {
  disk: SimulatedDisk
  values: Uint8Array[][]
  /** Of each topic, the first offset that can be read. */
  firsts: number[]
  /** Where the batches stand whose records were moved. */
  old: number[]
  /** Segments that are kept, the unsealed one last. */
  segments: number[]
  path(segment: number): string
}

/** `dead` stands in segments 0 and 1 and, moved, whole in 3, where it goes on; 4 is the unsealed end, and goes on with it too. */
async function moved(isFirstDeleted: boolean): Promise<Sample> {
  const world = simulatedWorld()
  let now = 1_000
  const log = new StorageLog(world, { now: () => now++ })
  const values: Uint8Array[][] = [[], []]
  const random = new Seeded(3)
  const starts: number[] = []
  const add = (topic: number, bytes: number) => {
    const value = payloadOf(topic, values[topic].length, bytes)
    values[topic].push(value)
    const key = random.chance(0.5) ? Uint8Array.of(1, random.below(256)) : undefined
    log.append([{ topic, value, extras: key === undefined ? undefined : { key, headers: undefined } }])
  }
  const fillTo = (segment: number, relative: number, hasDead: boolean) => {
    while (log.tail.segment < segment || log.tail.relative < relative) {
      add(1, 10_000 + random.below(20_000))
      if (hasDead) {
        starts.push(log.published)
        add(dead, random.below(300))
      }
    }
  }
  log.append([
    { declare: 'dead', topic: dead },
    { declare: 'large', topic: 1 },
  ])
  fillTo(1, 200_000, true)
  fillTo(3, 100_000, false)
  const isKept = (position: number) => !isFirstDeleted || position >= testSegmentBytes
  // A batch that would not fit went to the next segment.
  const old = starts.filter((position) => isKept(position) && position % testSegmentBytes < 900_000)
  await log.index()
  const copy = collectTopic(log.files, dead, 0, values[dead].length, [0, 1])
  if (copy === undefined) throw new Error('the records can be read')
  expect(log.tail.moveForward(copy)).toBe('moved')
  log.publish()
  fillTo(3, 500_000, true)
  fillTo(4, 200_000, false)
  add(dead, 100)
  fillTo(4, 250_000, false)
  await log.index()
  if (isFirstDeleted) log.deleteBelow(1)
  const { reader } = log
  const firsts = [0, isFirstDeleted ? log.catalog.stretches(1, 0, 1e9)[0].first : 0]
  expect(reader.readOne(1, firsts[1])).toBeDefined()
  log.close(true)
  const segments = isFirstDeleted ? [1, 2, 3, 4] : [0, 1, 2, 3, 4]
  return { disk: world.disk, values, firsts, old, segments, path: (segment) => log.path(segment) }
}

const samples = [await moved(false), await moved(true)]

/** Opens the log. @returns what is left of both topics */
function leftIn({ values }: Sample, disk: SimulatedDisk): Set<number>[] {
  const log = new StorageLog(simulatedWorld(disk), { bootId: bootA, now: () => 1_000_000 })
  return names.map((_, topic) =>
    readWhatIsLeft(log.reader, topic, values[topic], log.tail.first(topic), log.tail.next(topic)),
  )
}

describe.each([
  ['all copies kept', samples[0]],
  ['the oldest copies deleted', samples[1]],
])('a log with a topic that was moved, %s', (_, sample) => {
  it('is in order, and its messages are counted once', () => {
    const world = simulatedWorld(sample.disk.copy())
    const { extent, report } = checkedLog(world)
    expect(report).toMatchObject({ damages: [], remarks: [] })
    const { topics } = summarize(world.disk, extent, true)
    expect(topics[dead]).toMatchObject({
      name: 'dead',
      first: 0,
      next: sample.values[dead].length,
      messages: sample.values[dead].length,
      lost: 0,
    })
    expect(topics[1].lost).toBe(0)
  })

  it('with any single damaged byte: reported, and after a repair all is there but what the report says', () => {
    const last = sample.segments.at(-1) as number
    const sealed = sample.segments.slice(0, -1)
    const footerAt = testSegmentBytes - 6_000
    const place = fc.oneof(
      fc.record({ segment: fc.constantFrom(...sealed), at: fc.nat(testSegmentBytes - 1) }),
      fc.record({ old: fc.constantFrom(...sample.old), at: fc.nat(60) }).map(({ old, at }) => {
        return { segment: Math.floor(old / testSegmentBytes), at: (old % testSegmentBytes) + at }
      }),
      // The moved copies.
      fc.record({ segment: fc.constant(3), at: fc.integer({ min: 100_000, max: 140_000 }) }),
      fc.record({ segment: fc.constantFrom(...sealed), at: fc.integer({ min: footerAt, max: testSegmentBytes - 1 }) }),
      fc.record({ segment: fc.constant(last), at: fc.nat(250_000) }),
    )
    let unlost = 0
    fc.assert(
      fc.property(place, fc.integer({ min: 1, max: 255 }), ({ segment, at }, mask) => {
        const disk = sample.disk.copy()
        disk.bytes(sample.path(segment))[at] ^= mask
        const { report } = checkedLog(simulatedWorld(disk))
        expect(report.damages.length + report.remarks.length).toBeGreaterThan(0)
        const lost = report.damages.flatMap((damage) => damage.lost)
        const position = segment * testSegmentBytes + at
        if (
          report.damages.some(({ kind }) => kind === 'batches') &&
          sample.old.some((old) => old <= position && position < old + 60)
        ) {
          expect(lost).toEqual([])
          unlost += 1
        }

        expect(repairedLog(simulatedWorld(disk)).left).toEqual([])
        const { report: after } = checkedLog(simulatedWorld(disk))
        expect(after.damages).toEqual([])
        const stillLost = after.remarks.flatMap((gap) => gap.lost)
        const left = leftIn(sample, disk)
        for (const [topic, name] of names.entries()) {
          const isIn = (ranges: typeof lost, offset: number) =>
            ranges.some((range) => range.topic === name && range.from <= offset && offset < (range.to ?? 0))
          const end = segment === last ? sample.values[topic].length - 1 : sample.values[topic].length
          const first = Math.min(...left[topic])
          for (let offset = sample.firsts[topic]; offset < end; offset++) {
            // Lost at the very beginning of the log: what is left begins behind it, as after a deletion.
            if (offset < first && isIn(lost, offset)) continue
            expect(left[topic].has(offset), `${name} ${offset}`).toBe(!isIn(stillLost, offset))
            // An older copy may come to honour again; nothing more is lost by a repair.
            if (isIn(stillLost, offset)) expect(isIn(lost, offset)).toBe(true)
          }
        }
      }),
      {
        numRuns: 100,
        examples: [
          [{ segment: 1, at: 64 }, 1],
          [{ segment: 3, at: 100_032 }, 1],
        ],
      },
    )
    // Damage to copies that do not count any more.
    expect(unlost).toBeGreaterThan(0)
  })

  const larger: Record<string, (disk: SimulatedDisk) => void> = {
    'a lost segment of old copies': (disk) => disk.drop(sample.path(1)),
    'the moved copies cut out': (disk) => disk.bytes(sample.path(3)).fill(7, 90_000, 300_000),
    'the moved copies and the index behind them': (disk) => {
      disk.bytes(sample.path(3)).fill(7, 90_000, 300_000)
      disk.bytes(sample.path(3)).fill(7, testSegmentBytes - 64)
    },
    'half of the moved copies': (disk) => disk.bytes(sample.path(3)).fill(7, 105_000, 400_000),
    'their whole segment': (disk) => disk.drop(sample.path(3)),
  }

  it.each(Object.entries(larger))('%s: repaired, in order again, and everything else is there', (_, damage) => {
    const disk = sample.disk.copy()
    damage(disk)
    const { report } = checkedLog(simulatedWorld(disk))
    expect(report.damages.length).toBeGreaterThan(0)
    expect(repairedLog(simulatedWorld(disk)).left.filter(({ kind }) => kind !== 'offsets')).toEqual([])
    const { report: after, extent } = checkedLog(simulatedWorld(disk))
    expect(after.damages).toEqual([])
    const lost = after.remarks.flatMap((gap) => gap.lost)
    const { topics } = summarize(disk, extent, true)
    leftIn(sample, disk).forEach((found, topic) => {
      const ranges = lost.filter((range) => range.topic === names[topic])
      const count = ranges.reduce((sum, { from, to = from }) => sum + to - from, 0)
      const of = topics.find(({ id }) => id === topic)
      expect(found.size).toBe((of?.next ?? 0) - (of?.first ?? 0) - count)
      expect(found.size).toBe(of?.messages)
    })
  })
})

it('a retention that has moved a topic leaves a log in order, before the old copies go and after', async () => {
  const world: SimulatedWorld = simulatedWorld()
  let now = Date.now()
  const engine = new Engine(world, { reaper: { now: () => now, retention: { maxBytes: 0 } } })
  engine.offer(names.map((declare, topic) => ({ declare, topic })))
  engine.reaper.retain('dead', {})
  const add = (topic: number, bytes: number) => {
    engine.append(topic, new Uint8Array(bytes))
    engine.writer.doWork()
  }
  for (let count = 0; count < 5; count++) add(dead, 200)
  const isInOrder = async (segments: number[]) => {
    await engine.flush()
    const { control, state, recovered } = engine
    const [published, durable, trim] = [state.published.load(), state.durable.load(), state.trim.load()]
    control.write({ epoch: recovered.epoch + 1, isClean: true, published, durable, trim, time: now, bootId: bootA })
    const { extent, report } = checkedLog(simulatedWorld(world.disk.copy()))
    expect(report).toMatchObject({ damages: [], remarks: [] })
    expect(engine.files.list().filter((segment) => segment <= engine.tail.segment)).toEqual(segments)
    expect(summarize(world.disk, extent, true).topics[0]).toMatchObject({ name: 'dead', messages: 6, lost: 0 })
  }
  const settle = async (segment: number) => {
    while (engine.tail.segment < segment) {
      add(1, 50_000)
      await engine.settle(2)
    }
    await engine.flush()
    for (let round = 0; round < 30; round++) {
      now += 100
      await engine.settle(1)
    }
  }
  // Somebody reads in the oldest: it stays, and with it the old copies.
  engine.readWindows.acquire(0)
  await settle(1)
  add(dead, 300)
  await settle(4)
  expect(engine.state.movedBytes.load()).toBeGreaterThan(0)
  await isInOrder([0, 1, 2, 3, 4])
  engine.readWindows.release(0)
  await settle(6)
  await isInOrder([6])
})
