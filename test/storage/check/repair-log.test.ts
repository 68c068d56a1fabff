import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TopicReader } from '../../../src/storage/read/topic-reader.js'
import { payloadOf } from '../../support/frames.js'
import { imageStyles } from '../../support/power-cuts.js'
import { checkedLog, readWhatIsLeft, repairedLog } from '../../support/repair.js'
import { Seeded } from '../../support/seeded.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { bootA, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

/** Two topics, batches of one to a few records with keys on some, three sealed segments with their index, an unsealed tail. */
class Sample {
  readonly disk: SimulatedDisk
  readonly values: Uint8Array[][] = [[], []]
  readonly files: string[]
  readonly control: string

  static async make(isClean = true): Promise<Sample> {
    const world = simulatedWorld()
    let now = 1_000
    const log = new StorageLog(world, { now: () => now++ })
    const sample = new Sample(world.disk, log)
    const random = new Seeded(7)
    log.append([
      { declare: 'orders', topic: 0 },
      { declare: 'clicks', topic: 1 },
    ])
    while (log.tail.segment < 3 || log.tail.relative < 100_000) {
      const count = 1 + random.below(4)
      const frames = Array.from({ length: count }, () => {
        const topic = random.chance(0.3) ? 1 : 0
        const value = payloadOf(topic, sample.values[topic].length, random.below(9_000))
        sample.values[topic].push(value)
        const key = random.chance(0.5) ? Uint8Array.of(1, 2, random.below(256)) : undefined
        return { topic, value, extras: key === undefined ? undefined : { key, headers: undefined } }
      })
      log.append(frames)
    }
    await log.index()
    log.close(isClean)
    return sample
  }

  private constructor(disk: SimulatedDisk, log: StorageLog) {
    this.disk = disk
    this.files = [0, 1, 2, 3].map((segment) => log.path(segment))
    this.control = log.controlPath()
  }

  damaged(damage: (disk: SimulatedDisk) => void): SimulatedDisk {
    const disk = this.disk.copy()
    damage(disk)
    return disk
  }
}

const sample = await Sample.make()
const flip =
  (file: string, at: number, mask = 0xff) =>
  (disk: SimulatedDisk) => {
    disk.bytes(file)[at] ^= mask
  }

const readAround = (reader: TopicReader, topic: number, next: number, first = 0) =>
  readWhatIsLeft(reader, topic, sample.values[topic], first, next)

function reopened(disk: SimulatedDisk): StorageLog {
  return new StorageLog(simulatedWorld(disk), { bootId: bootA, now: () => 1_000_000 })
}

/**
 * Opens the log, and reads all of both topics but what the report says is lost.
 * @param endIsLost nothing behind the damage may tell how many messages it took
 */
function expectAllBut(
  disk: SimulatedDisk,
  lost: { topic: string; from: number; to?: number }[],
  endIsLost = false,
): StorageLog {
  const log = reopened(disk)
  for (const [topic, name] of ['orders', 'clicks'].entries()) {
    const found = readAround(log.reader, topic, log.tail.next(topic))
    const missing = lost.filter((range) => range.topic === name)
    const isLost = (offset: number) => missing.some(({ from, to = Infinity }) => from <= offset && offset < to)
    const unknown = endIsLost ? log.tail.next(topic) : sample.values[topic].length
    expect(sample.values[topic].length - unknown).toBeLessThanOrEqual(4)
    sample.values[topic].slice(0, unknown).forEach((_, offset) => {
      expect(found.has(offset), `${name} ${offset}`).toBe(!isLost(offset))
    })
  }
  return log
}

describe('verify', () => {
  it('finds a whole log in order, clean or left by a crash', async () => {
    const { report } = checkedLog(simulatedWorld(sample.disk.copy()))
    expect(report).toMatchObject({ damages: [], remarks: [], segments: 4, topics: 2 })
    expect(report.messages).toBe(sample.values[0].length + sample.values[1].length)
    const crashed = await Sample.make(false)
    expect(checkedLog(simulatedWorld(crashed.disk)).report).toMatchObject({ damages: [], remarks: [] })
  })

  it('changes nothing', () => {
    const disk = sample.damaged(flip(sample.files[1], 5_000))
    const before = disk.fingerprint()
    checkedLog(simulatedWorld(disk))
    expect(disk.fingerprint()).toBe(before)
  })
})

describe('any single damaged byte', () => {
  /** Every region gets its share: most bytes of a segment are payload. */
  const place = fc.oneof(
    fc.record({ segment: fc.nat(3), at: fc.nat(testSegmentBytes - 1) }),
    fc.record({ segment: fc.nat(3), at: fc.nat(400) }),
    fc.record({ segment: fc.nat(2), at: fc.integer({ min: testSegmentBytes - 6_000, max: testSegmentBytes - 1 }) }),
    fc.record({ segment: fc.nat(2), at: fc.integer({ min: testSegmentBytes - 300, max: testSegmentBytes - 1 }) }),
    fc.record({ segment: fc.constant(3), at: fc.nat(110_000) }),
  )

  it('is reported, and after a repair everything else is read and verified', () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(place, fc.integer({ min: 1, max: 255 }), ({ segment, at }, mask) => {
        const disk = sample.damaged(flip(sample.files[segment], at, mask))
        const { report } = checkedLog(simulatedWorld(disk))
        const reported = [...report.damages, ...report.remarks]
        expect(reported.length).toBeGreaterThan(0)
        const position = segment * testSegmentBytes + at
        const near = reported.some((damage) => damage.position <= position && damage.file === sample.files[segment])
        expect(near).toBe(true)
        for (const { kind } of reported) seen.set(kind, (seen.get(kind) ?? 0) + 1)
        const lost = report.damages.flatMap((damage) => damage.lost)

        const plan = repairedLog(simulatedWorld(disk))
        expect(plan.left).toEqual([])
        const { report: after } = checkedLog(simulatedWorld(disk))
        expect(after.damages).toEqual([])
        // What is lost is still known.
        expect(after.remarks.filter(({ kind }) => kind === 'gap').flatMap((gap) => gap.lost)).toEqual(lost)
        const endIsLost = segment === 3 && report.damages.length > 0
        const log = expectAllBut(disk, lost, endIsLost)
        expect(log.recovered.damages).toEqual([])
        expect(lost.reduce((sum, { from, to = from }) => sum + to - from, 0)).toBeLessThanOrEqual(4)
      }),
      { numRuns: 100 },
    )
    expect([...seen.keys()]).toEqual(expect.arrayContaining(['batches', 'header', 'index']))
  })
})

describe('larger damage', () => {
  const endOf = testSegmentBytes
  const cases: Record<string, (disk: SimulatedDisk) => void> = {
    'a deleted segment': (disk) => disk.drop(sample.files[1]),
    'a deleted first segment': (disk) => disk.drop(sample.files[0]),
    'a truncated segment': (disk) => disk.truncate(sample.files[1], 300_008),
    'a segment cut to nothing': (disk) => disk.truncate(sample.files[2], 0),
    'a segment that has grown': (disk) => {
      disk.put(sample.files[1], Buffer.concat([disk.bytes(sample.files[1]), Buffer.alloc(77, 7)]))
    },
    'a zeroed block': (disk) => disk.bytes(sample.files[1]).fill(0, 40_960, 45_056),
    'a zeroed second half': (disk) => disk.bytes(sample.files[2]).fill(0, 500_000),
    'a segment of zeros': (disk) => disk.bytes(sample.files[1]).fill(0),
    'a segment in the place of another': (disk) => disk.put(sample.files[1], disk.bytes(sample.files[2])),
    'a block twice': (disk) => disk.bytes(sample.files[1]).copyWithin(81_920, 40_960, 45_056),
    'a lost index': (disk) => disk.bytes(sample.files[1]).fill(0xff, endOf - 4_096),
    'a lost seal': (disk) => {
      const bytes = disk.bytes(sample.files[1])
      const dataEnd = new DataView(bytes.buffer, bytes.byteOffset + endOf - 64).getUint32(16, true)
      bytes.fill(1, dataEnd - 48, dataEnd)
    },
    'the end of the tail': (disk) => disk.bytes(sample.files[3]).fill(0xee, 60_000),
    'the middle of the tail': (disk) => disk.bytes(sample.files[3]).fill(0xee, 30_000, 60_000),
    'a lost control file': (disk) => disk.drop(sample.control),
    'a control file of zeros': (disk) => disk.bytes(sample.control).fill(0),
    'both control records': (disk) => disk.bytes(sample.control).fill(3, 512, 1_200),
    'one control record': (disk) => disk.bytes(sample.control).fill(3, 1_030, 1_031),
    'everything at once': (disk) => {
      disk.drop(sample.control)
      disk.bytes(sample.files[0]).fill(9, 100_000, 200_000)
      disk.drop(sample.files[1])
      disk.bytes(sample.files[3]).fill(9, 100, 1_000)
    },
  }

  it.each(Object.entries(cases))('%s: is reported, repaired, and nothing else is lost', (name, damage) => {
    const disk = sample.damaged(damage)
    const { report } = checkedLog(simulatedWorld(disk))
    expect(report.damages.length).toBeGreaterThan(0)
    const plan = repairedLog(simulatedWorld(disk))
    const { report: after } = checkedLog(simulatedWorld(disk))
    expect(after.damages.filter(({ kind }) => kind !== 'offsets')).toEqual([])
    expect(after.messages).toBe(report.messages)
    const log = reopened(disk)
    expect(log.recovered.damages).toEqual([])
    const found = [0, 1].map((topic) => readAround(log.reader, topic, log.tail.next(topic), log.tail.first(topic)))
    expect(found[0].size + found[1].size, name).toBe(report.messages)
    expect(plan.left.filter(({ kind }) => kind !== 'offsets')).toEqual([])
    // And it takes appends, at offsets that were never used where anything tells.
    const next = log.tail.next(0)
    log.append([{ topic: 0, value: Uint8Array.of(1, 2, 3) }])
    expect(log.reader.readOne(0, next)).toBeDefined()
  })

  it('sets aside every byte that it replaces, with a manifest', () => {
    const disk = sample.damaged(flip(sample.files[1], 50_000))
    const before = disk.bytes(sample.files[1]).slice()
    const plan = repairedLog(simulatedWorld(disk))
    const folder = '/log/damaged/1970-01-01T00-00-00.000Z'
    const kept = before.slice().fill(0)
    const now = disk.bytes(sample.files[1])
    for (let at = 0; at < now.length; at++) if (now[at] === before[at]) kept[at] = before[at]
    for (const { from, to, copy } of plan.setAside) {
      const bytes = disk.bytes(`${folder}/${copy}`)
      expect(bytes.length).toBe(to - from)
      kept.set(bytes, from)
    }
    expect(Buffer.compare(kept, before)).toBe(0)
    const manifest = JSON.parse(Buffer.from(disk.bytes(`${folder}/manifest.json`)).toString())
    expect(manifest).toMatchObject({ ranges: plan.setAside, damages: plan.damages })
  })

  it('a log in order is not touched', () => {
    const disk = sample.disk.copy()
    const before = disk.fingerprint()
    expect(repairedLog(simulatedWorld(disk))).toMatchObject({ setAside: [], segments: [], control: undefined })
    expect(disk.fingerprint()).toBe(before)
  })
})

describe('a repair that is cut off', () => {
  const damage = (disk: SimulatedDisk) => {
    disk.bytes(sample.files[1]).fill(9, 100_000, 120_000)
    disk.bytes(sample.files[2])[endOfSegment - 10] ^= 1
    disk.bytes(sample.control).fill(3, 512, 1_200)
  }
  const endOfSegment = testSegmentBytes

  it('at any step, by a crash or a power cut: the next one finishes, and nothing more is lost', () => {
    const whole = sample.damaged(damage)
    const { report } = checkedLog(simulatedWorld(whole.copy()))
    const lost = report.damages.flatMap((damaged) => damaged.lost)
    whole.settle()
    repairedLog(simulatedWorld(whole))
    const random = new Seeded(11)
    const steps = whole.events.length
    expect(steps).toBeGreaterThan(20)
    // What was done is there for good: no later power cut takes it back.
    expect(checkedLog(simulatedWorld(whole.imageAfter(steps, random, 'lost'))).report.damages).toEqual([])
    const original = sample.damaged(damage).bytes(sample.files[1]).slice(100_000, 120_000)
    for (let step = 0; step <= steps; step++) {
      const style = random.pick(imageStyles)
      const disk = whole.imageAfter(step, random, style)
      // What was damaged is either still in its place or set aside.
      const isInPlace = Buffer.compare(disk.bytes(sample.files[1]).slice(100_000, 120_000), original) === 0
      const copies = disk
        .list('/log/damaged/1970-01-01T00-00-00.000Z')
        .map((name) => disk.bytes(`/log/damaged/1970-01-01T00-00-00.000Z/${name}`))
      expect(
        isInPlace || copies.some((copy) => Buffer.from(copy).includes(Buffer.from(original))),
        `${step} ${style}`,
      ).toBe(true)
      repairedLog(simulatedWorld(disk))
      expect(checkedLog(simulatedWorld(disk)).report.damages, `${step} ${style}`).toEqual([])
      expectAllBut(disk, lost)
    }
  })
})
