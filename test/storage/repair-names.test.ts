/** What a repair leaves known of topics whose declarations were damaged: their names, where they stood, and where they go on. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { payloadOf } from '../support/frames.js'
import { checkedLog, readWhatIsLeft, repairedLog } from '../support/repair.js'
import type { SimulatedDisk } from '../support/simulated-disk.js'
import { bootA, StorageLog, testSegmentBytes } from '../support/storage-log.js'
import { simulatedWorld } from '../support/worlds.js'

const names = ['busy', 'quiet', 'short']

/** `quiet` and `short` stand in the first segment only, `busy` everywhere; each topic's declaration is in the batch of its first message. */
class Sample {
  readonly disk: SimulatedDisk
  readonly log: StorageLog
  readonly values: Uint8Array[][] = names.map(() => [])
  /** Where the batch stands that declares the topic, and where it ends. */
  readonly declared: [number, number][] = []

  static async make(segments: number): Promise<Sample> {
    const sample = new Sample()
    const { log } = sample
    for (const [topic, name] of names.entries()) {
      const from = log.published
      // Of few bytes: a gap has no room behind the declaration.
      log.append([{ declare: name, topic }, sample.next(topic, topic === 2 ? 1 : 300)])
      sample.declared.push([from, log.published])
      log.append([sample.next(0, 5_000)])
    }
    for (let number = 0; number < 5; number++) log.append([sample.next(1, 100)])
    log.append([sample.next(0, 70_000)])
    for (let segment = 1; segment < segments; segment++) {
      log.roll()
      for (let number = 0; number < 20; number++) log.append([sample.next(0, 2_000)])
    }
    await log.index()
    log.close(true)
    return sample
  }

  private constructor() {
    const world = simulatedWorld()
    this.disk = world.disk
    this.log = new StorageLog(world)
  }

  private next(topic: number, bytes: number) {
    const value = payloadOf(topic, this.values[topic].length, bytes)
    this.values[topic].push(value)
    return { topic, value }
  }

  /** Opened by the next owner; every message is read, or reported. */
  expectAllKnown(disk: SimulatedDisk, lost: readonly { topic: string; from: number; to?: number }[]): StorageLog {
    const log = new StorageLog(simulatedWorld(disk), { bootId: bootA })
    expect(log.recovered.topics.map(({ name, first, next }) => [name, first, next])).toEqual(
      names.map((name, topic) => [name, 0, this.values[topic].length]),
    )
    for (const [topic, name] of names.entries()) {
      const found = readWhatIsLeft(log.reader, topic, this.values[topic], 0, this.values[topic].length)
      const missing = lost.filter((range) => range.topic === name)
      const isLost = (offset: number) => missing.some(({ from, to = from + 1 }) => from <= offset && offset < to)
      expect([...found]).toEqual([...this.values[topic].keys()].filter((offset) => !isLost(offset)))
    }
    return log
  }
}

const indexed = await Sample.make(3)
const single = await Sample.make(1)
const lostOf = (disk: SimulatedDisk) => checkedLog(simulatedWorld(disk)).report.damages.flatMap((damage) => damage.lost)

describe('a flipped bit in the only batch that declares a topic', () => {
  const place = fc.record({ topic: fc.nat(2), at: fc.double({ min: 0, max: 0.999, noNaN: true }), bit: fc.nat(7) })

  it('takes neither its name nor where it goes on, before a repair and after', () => {
    fc.assert(
      fc.property(place, ({ topic, at, bit }) => {
        const disk = indexed.disk.copy()
        const [from, to] = indexed.declared[topic]
        disk.bytes(indexed.log.path(0))[from + Math.floor((to - from) * at)] ^= 1 << bit
        const lost = lostOf(disk)
        expect(lost).toEqual([{ topic: names[topic], from: 0, to: 1 }])
        repairedLog(simulatedWorld(disk))
        const { report } = checkedLog(simulatedWorld(disk))
        expect(report.damages).toEqual([])
        expect(report.remarks.flatMap((remark) => remark.lost)).toEqual(lost)
        expect(repairedLog(simulatedWorld(disk)).segments).toEqual([])
        indexed.expectAllKnown(disk, lost)
      }),
      { numRuns: 60 },
    )
  })

  it('leaves what stands beside it legible, where there is no index to say it', () => {
    for (const topic of [0, 1]) {
      const disk = single.disk.copy()
      const [, to] = single.declared[topic]
      disk.bytes(single.log.path(0))[to - 8] ^= 1
      const lost = [{ topic: names[topic], from: 0, to: 1 }]
      // The owner of the damaged log finds the same as that of the repaired one.
      single.expectAllKnown(disk.copy(), lost)
      repairedLog(simulatedWorld(disk))
      expect(checkedLog(simulatedWorld(disk)).report).toMatchObject({ damages: [], remarks: [{ kind: 'gap', lost }] })
      single.expectAllKnown(disk, lost)
    }
  })

  it('where the name itself is not legible either, one to be read by takes its place', () => {
    const disk = single.disk.copy()
    const [from, to] = single.declared[1]
    disk.bytes(single.log.path(0)).fill(0, from, to)
    const open = () => new StorageLog(simulatedWorld(disk.copy()), { bootId: bootA }).recovered.topics
    expect(open().map(({ name }) => name)).toEqual(['busy', 'lost-1', 'short'])
    repairedLog(simulatedWorld(disk))
    expect(open().map(({ name }) => name)).toEqual(['busy', 'lost-1', 'short'])
  })
})

describe('a first segment of which nothing is left', () => {
  it.each([
    ['missing', (disk: SimulatedDisk, file: string) => disk.drop(file)],
    ['all zeros', (disk: SimulatedDisk, file: string) => disk.bytes(file).fill(0)],
  ])('%s: its messages are reported as lost, by verify and by reads, before a repair and after', (_, damage) => {
    const disk = indexed.disk.copy()
    damage(disk, indexed.log.path(0))
    const [lost] = lostOf(disk)
    expect(lost).toMatchObject({ topic: 'busy', from: 0 })
    expect(lost.to).toBeGreaterThan(3)
    const expectReported = () => {
      const log = new StorageLog(simulatedWorld(disk.copy()), { bootId: bootA })
      const { first, next } = log.recovered.topics[0]
      expect([first, next]).toEqual([0, indexed.values[0].length])
      const found = readWhatIsLeft(log.reader, 0, indexed.values[0], 0, next)
      expect([...found]).toEqual(Array.from({ length: next - (lost.to ?? 0) }, (_, index) => index + (lost.to ?? 0)))
    }
    expectReported()
    repairedLog(simulatedWorld(disk))
    const { report } = checkedLog(simulatedWorld(disk))
    expect(report.damages).toEqual([])
    expect(report.remarks.flatMap((remark) => remark.lost)).toEqual([lost])
    expectReported()
  })

  it('is no loss of what had been trimmed', () => {
    const disk = indexed.disk.copy()
    const log = new StorageLog(simulatedWorld(disk), { bootId: bootA })
    log.tail.trim(0, 15)
    log.publish()
    log.close(true)
    disk.drop(log.path(0))
    expect(lostOf(disk)).toEqual([])
  })
})

it('a seal that is written anew is set aside too', () => {
  const disk = indexed.disk.copy()
  const file = indexed.log.path(0)
  // The last message of a topic: where it goes on is stated in the place of the seal.
  const before = disk.bytes(file).slice()
  const dataEnd = new DataView(before.buffer, testSegmentBytes - 64).getUint32(16, true)
  disk.bytes(file)[dataEnd - 1_000] ^= 1
  const damaged = disk.bytes(file).slice()
  const { setAside } = repairedLog(simulatedWorld(disk))
  const now = disk.bytes(file)
  expect(now.subarray(dataEnd - 48, dataEnd)).not.toEqual(before.subarray(dataEnd - 48, dataEnd))
  const kept = Uint8Array.from(now, (byte, at) => (byte === damaged[at] ? byte : 0))
  const folder = '/log/damaged/1970-01-01T00-00-00.000Z'
  for (const { from, copy } of setAside) kept.set(disk.bytes(`${folder}/${copy}`), from)
  expect(Buffer.compare(kept, damaged)).toBe(0)
})
