import { describe, expect, it } from 'vitest'
import { BookendError } from '../../../src/errors.js'
import { controlRecordAt } from '../../../src/format/control-layout.js'
import { readSealedSegment } from '../../../src/storage/index/sealed-index.js'
import { openLog } from '../../../src/storage/life/open-log.js'
import { payloadOf } from '../../support/frames.js'
import { caught, expectPrefix, expectReadable, Model, readAll } from '../../support/model.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { bootA, bootB, indexSegment, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

/** A log of one topic, one record a batch, on a disk that can be copied and damaged. */
class Sample {
  readonly world = simulatedWorld()
  readonly log = new StorageLog(this.world)
  readonly model = new Model()
  /** Where each record's batch begins. */
  readonly starts: number[] = []

  constructor() {
    this.model.declare('orders')
    this.log.append([{ declare: 'orders', topic: 0 }])
  }

  get disk(): SimulatedDisk {
    return this.world.disk
  }

  add(count: number, bytes = 200): this {
    for (let index = 0; index < count; index++) {
      const value = payloadOf(0, this.model.order.length, bytes)
      this.starts.push(this.log.published)
      this.model.add(0, value)
      this.log.append([{ topic: 0, value }])
    }
    return this
  }

  flush(): this {
    this.log.flush()
    return this
  }

  path(segment = 0): string {
    return this.log.path(segment)
  }

  /** The log as the next owner finds it, on a copy of the disk. */
  reopen(damage: (disk: SimulatedDisk) => void = () => {}, bootId = bootA, mayRepair = true): Reopened {
    const disk = this.disk.copy()
    damage(disk)
    return new Reopened(disk, new StorageLog(simulatedWorld(disk), { bootId, mayRepair }))
  }
}

class Reopened {
  readonly disk: SimulatedDisk
  readonly log: StorageLog

  constructor(disk: SimulatedDisk, log: StorageLog) {
    this.disk = disk
    this.log = log
  }

  /** The model's first `count` records are there, and nothing else. */
  expectExactly(model: Model, count: number): this {
    const found = expectPrefix(this.log.recovered, model, count)
    expect(found.count).toBe(count)
    expectReadable(this.log.reader, this.log.recovered, model)
    return this
  }
}

describe('recovery', () => {
  it('finds everything after a clean stop, and cuts nothing', () => {
    const sample = new Sample().add(20)
    sample.log.close(true)
    const { log } = sample.reopen(() => {}, bootB).expectExactly(sample.model, 20)
    expect(log.recovered).toMatchObject({
      tornBytes: 0,
      published: sample.log.published,
      durable: sample.log.published,
    })
  })

  it('finds everything after the death of the process, flushed or not', () => {
    const sample = new Sample().add(10).flush().add(10)
    sample.reopen().expectExactly(sample.model, 20)
  })

  it('cuts a last batch that was cut off at any byte, zeroes what it left, and counts it', () => {
    const sample = new Sample().add(3).flush().add(1, 64)
    const [start, end] = [sample.starts[3], sample.log.published]
    for (let keep = start; keep < end; keep += keep < start + 56 ? 1 : 7) {
      const { disk, log } = sample
        .reopen((torn) => torn.bytes(sample.path()).fill(0, keep))
        .expectExactly(sample.model, 3)
      expect(log.published).toBe(start)
      expect(
        disk
          .bytes(sample.path())
          .subarray(start)
          .every((byte) => byte === 0),
      ).toBe(true)
      const left = sample.disk.bytes(sample.path()).subarray(start, keep)
      expect(log.recovered.tornBytes).toBe(lastNonZero(left))
      expect(log.recovered.damages).toEqual([])
    }
  })

  it('cuts a last batch with any flipped bit', () => {
    const sample = new Sample().add(2).flush().add(1, 16)
    const [start, end] = [sample.starts[2], sample.log.published]
    for (let bit = start * 8; bit < end * 8; bit += 5) {
      const flip = (disk: SimulatedDisk) => {
        disk.bytes(sample.path())[bit >>> 3] ^= 1 << (bit & 7)
      }
      const { disk } = sample.reopen(flip).expectExactly(sample.model, 2)
      expect(
        disk
          .bytes(sample.path())
          .subarray(start)
          .every((byte) => byte === 0),
      ).toBe(true)
    }
  })

  it('has the zeros on the device before anything is appended', () => {
    const sample = new Sample().add(2).flush().add(1)
    const { disk } = sample.reopen((torn) => {
      torn.bytes(sample.path())[sample.starts[2] + 60] ^= 1
    })
    const cut = disk.calls.findIndex(({ call, file }) => call === 'write' && file === sample.path())
    const flushed = disk.calls.findIndex(
      ({ call, file }, index) => index > cut && call === 'sync' && file === sample.path(),
    )
    expect(cut).toBeGreaterThanOrEqual(0)
    expect(flushed).toBeGreaterThan(cut)
  })

  it('goes on appending in place of what was cut, and finds that again', () => {
    const sample = new Sample().add(5).flush().add(1)
    const { disk, log } = sample.reopen((torn) => torn.bytes(sample.path()).fill(0xee, sample.starts[5] + 20))
    const value = payloadOf(0, 5, 99, 1)
    log.append([{ topic: 0, value }])
    sample.model.topics[0].values[5] = value
    new Reopened(disk, new StorageLog(simulatedWorld(disk))).expectExactly(sample.model, 6)
  })

  it('cuts at a batch that a power cut took, though later ones survived, and leaves nothing of those', () => {
    const sample = new Sample().add(2).flush().add(3)
    const lose = (disk: SimulatedDisk) => disk.bytes(sample.path()).fill(0, sample.starts[2], sample.starts[3])
    for (const boot of [bootA, bootB]) {
      const { disk, log } = sample.reopen(lose, boot).expectExactly(sample.model, 2)
      // A record of the same size takes the lost one's place: the survivor behind it must not come back.
      log.append([{ topic: 0, value: payloadOf(0, 2, 200) }])
      new Reopened(disk, new StorageLog(simulatedWorld(disk), { bootId: boot })).expectExactly(sample.model, 3)
    }
  })

  it('would bring lost batches back without zeroing (the mutant that this test has to catch)', () => {
    const sample = new Sample().add(2).flush().add(3)
    const { disk, log } = sample.reopen((torn) => {
      torn.bytes(sample.path()).fill(0, sample.starts[2], sample.starts[3])
      torn.lies = { zeroing: true }
    }, bootB)
    expect(log.published).toBe(sample.starts[2])
    log.append([{ topic: 0, value: payloadOf(0, 2, 200) }])
    const again = new StorageLog(simulatedWorld(disk), { bootId: bootB })
    expect(again.recovered.topics[0].next).toBe(5)
  })

  it('cuts at the sector that a file system shut down in the same boot has lost, wherever sectors begin', () => {
    const sample = new Sample().add(1).flush().add(12, 700)
    for (let record = 1; record < 12; record++) {
      const sector = Math.ceil(sample.starts[record] / 512) * 512
      const lose = (disk: SimulatedDisk) => disk.bytes(sample.path()).fill(0, sector, sector + 512)
      const lost = sample.starts.findLastIndex((start) => start < sector)
      sample.reopen(lose).expectExactly(sample.model, lost)
    }
  })

  it('reports damage before the durable position, and delivers everything around it', () => {
    const sample = new Sample().add(10).flush()
    for (const bootId of [bootA, bootB]) {
      const { log } = sample.reopen((disk) => {
        disk.bytes(sample.path())[sample.starts[4] + 70] ^= 4
      }, bootId)
      expect(log.recovered.damages).toEqual([{ from: sample.starts[4], to: sample.starts[5] }])
      expect(log.recovered.topics[0].next).toBe(10)
      expect(log.recovered.tornBytes).toBe(0)
      expect(readAll(log.reader, 0, 0, 4, 'dense')).toHaveLength(4)
      expect(readAll(log.reader, 0, 5, 10, 'dense')).toHaveLength(5)
      for (const read of [() => readAll(log.reader, 0, 0, 10, 'dense'), () => log.reader.readOne(0, 4)]) {
        expect(caught(read)).toMatchObject({
          code: 'BOOKEND_CORRUPT',
          offset: 4,
          next: 5,
          position: sample.starts[4],
          file: sample.path(),
        })
      }
    }
  })

  it('reports damage at the very end of what was durable, instead of taking it for a torn tail', () => {
    const sample = new Sample().add(5).flush()
    const { log } = sample.reopen((disk) => {
      disk.bytes(sample.path())[sample.starts[4] + 70] ^= 4
    })
    expect(log.recovered.damages).toEqual([{ from: sample.starts[4], to: sample.log.published }])
    expect(log.published).toBe(sample.log.published)
    expect(log.recovered.tornBytes).toBe(0)
    // What is appended now stands behind the damage and is found again.
    log.append([{ topic: 0, value: payloadOf(0, 9, 50) }])
    expect(log.published).toBeGreaterThan(sample.log.published)
  })

  it('reports damage past the durable position as damage if the page cache has survived', () => {
    const sample = new Sample().add(3).flush().add(6)
    const { log } = sample.reopen((disk) => {
      disk.bytes(sample.path())[sample.starts[5] + 70] ^= 4
    })
    expect(log.recovered.damages).toEqual([{ from: sample.starts[5], to: sample.starts[6] }])
    expect(log.recovered.topics[0].next).toBe(9)
    expect(readAll(log.reader, 0, 6, 9, 'dense')).toHaveLength(3)
  })

  it('takes the same bytes for a power cut in another boot, and cuts there', () => {
    const sample = new Sample().add(3).flush().add(6)
    const { log } = sample.reopen((disk) => {
      disk.bytes(sample.path())[sample.starts[5] + 70] ^= 4
    }, bootB)
    expect(log.recovered.damages).toEqual([])
    expect(log.recovered.topics[0].next).toBe(5)
  })

  it('lists several damaged places apart and in order', () => {
    const sample = new Sample().add(12).flush()
    const { log } = sample.reopen((disk) => {
      for (const record of [2, 3, 7]) disk.bytes(sample.path())[sample.starts[record] + 70] ^= 4
    })
    expect(log.recovered.damages).toEqual([
      { from: sample.starts[2], to: sample.starts[4] },
      { from: sample.starts[7], to: sample.starts[8] },
    ])
    expect(caught(() => log.reader.readOne(0, 3))).toMatchObject({ next: 4, position: sample.starts[2] })
  })

  it('keeps the name of a topic whose latest declaration was damaged, also when older segments go', () => {
    const sample = new Sample().add(2)
    sample.log.roll()
    sample.add(3).flush()
    const { disk, log } = sample.reopen((damaged) => {
      damaged.bytes(sample.path(1))[70] ^= 1
    })
    expect(log.recovered.topics[0]).toMatchObject({ name: 'orders', next: 5, declaredIn: 0 })
    log.deleteBelow(1)
    const again = new StorageLog(simulatedWorld(disk))
    expect(again.recovered.topics[0]).toMatchObject({ name: 'orders', next: 5 })
  })

  it('opens from the segments alone when both records of the control file are damaged', () => {
    const sample = new Sample().add(3)
    sample.log.roll()
    sample.add(3).flush()
    sample
      .reopen((disk) => {
        for (const at of controlRecordAt) disk.bytes(sample.log.controlPath())[at + 9] ^= 1
      })
      .expectExactly(sample.model, 6)
  })

  it('refuses a control file of another version or of something else, and changes nothing', () => {
    const sample = new Sample().add(3)
    for (const at of [0, 8, 12]) {
      const disk = sample.disk.copy()
      disk.bytes(sample.log.controlPath())[at] ^= 1
      const before = disk.fingerprint()
      expect(caught(() => new StorageLog(simulatedWorld(disk))).code).toBe('BOOKEND_FORMAT')
      expect(disk.fingerprint()).toBe(before)
    }
  })

  it('does not repair for somebody who may only look, and shows the same log', () => {
    const sample = new Sample().add(5).flush().add(2)
    const disk = sample.disk.copy()
    disk.bytes(sample.path())[sample.starts[6] + 60] ^= 1
    disk.put(`${sample.path(3)}.new`, new Uint8Array(10))
    disk.put(sample.path(4), new Uint8Array(100))
    const before = disk.fingerprint()
    const log = new StorageLog(simulatedWorld(disk), { mayRepair: false })
    expect(disk.fingerprint()).toBe(before)
    new Reopened(disk, log).expectExactly(sample.model, 6)
  })
})

describe('recovery of segments', () => {
  /** Two sealed segments with an index each, and an active one. */
  async function threeSegments(): Promise<Sample> {
    const sample = new Sample().add(4, 3_000)
    sample.log.roll()
    sample.add(4, 30_000)
    sample.log.roll()
    await sample.log.index()
    return sample.add(4, 9_000)
  }

  it('believes footers: it does not read the data of indexed segments', async () => {
    const sample = await threeSegments()
    const { log } = sample.reopen((disk) => disk.bytes(sample.path(0)).fill(0xff, 64, 5_000))
    expect(log.recovered).toMatchObject({ indexed: 2 * testSegmentBytes, damages: [] })
    expect(log.recovered.topics[0].next).toBe(12)
    expect(caught(() => log.reader.readOne(0, 0)).code).toBe('BOOKEND_CORRUPT')
    expect(readAll(log.reader, 0, 4, 12, 'dense')).toHaveLength(8)
  })

  it('derives again what a missing or damaged footer, directory or index said', async () => {
    const sample = await threeSegments()
    const end = testSegmentBytes
    for (const [from, to] of [
      [end - 64, end],
      [end - 64, end - 63],
      [end - 1, end],
      [end - 64 - 48, end - 64],
      [end - 4_096, end],
    ]) {
      const reopened = sample.reopen((disk) => {
        const bytes = disk.bytes(sample.path(1))
        for (let at = from; at < to; at++) bytes[at] ^= 0xff
      })
      reopened.expectExactly(sample.model, 12)
      expect(reopened.log.recovered.indexed).toBe(testSegmentBytes)
      await indexSegment(simulatedWorld(reopened.disk), reopened.log.files, 1)
      expect(readSealed(reopened.disk, sample.path(1))).toEqual(readSealed(sample.disk, sample.path(1)))
    }
  })

  function readSealed(disk: SimulatedDisk, file: string): unknown {
    return readSealedSegment(
      (at, length) => disk.bytes(file).slice(at, at + length),
      testSegmentBytes,
      testSegmentBytes,
    )
  }

  it('does not believe a footer from another place', async () => {
    const sample = await threeSegments()
    const { log } = sample
      .reopen((disk) => {
        const stale = disk.bytes(sample.path(0)).subarray(testSegmentBytes - 4_096)
        disk.bytes(sample.path(2)).set(stale, testSegmentBytes - 4_096)
      })
      .expectExactly(sample.model, 12)
    // It was zeroed with everything else behind the end.
    expect(log.recovered.tornBytes).toBeGreaterThan(0)
  })

  it('never takes a file with data for a prepared segment, however large its first batch', () => {
    const sample = new Sample().add(3).flush()
    sample.log.roll()
    sample.add(2, 200_000)
    // In the same boot a seal that was hit is damage: the log goes on behind it.
    const { log } = sample.reopen((disk) => {
      const seal = sample.starts[2] + 48 + 16 + 200
      disk.bytes(sample.path(0))[seal + 9] ^= 1
    })
    expect(log.recovered.damages).toHaveLength(1)
    expect(log.recovered.topics[0].next).toBe(5)
    expect(readAll(log.reader, 0, 3, 5, 'dense')).toHaveLength(2)
  })

  it('does not go on in a segment that holds leftovers of a power cut', () => {
    const sample = new Sample().add(3).flush()
    sample.log.roll()
    sample.add(6, 300)
    // The end of the first segment is lost, and the first pages of the second; its later batches survived.
    const { disk, log } = sample.reopen((lost) => {
      lost.bytes(sample.path(0)).fill(0, sample.starts[2])
      lost.bytes(sample.path(1)).fill(0, 64, sample.starts[5] - testSegmentBytes)
      // Durable were two records.
      const control = lost.bytes(sample.log.controlPath())
      for (const at of controlRecordAt) control.fill(0, at, at + 128)
    }, bootB)
    expect(log.recovered.topics[0].next).toBe(2)
    for (let offset = 2; offset < 5; offset++) log.append([{ topic: 0, value: payloadOf(0, offset, 200) }])
    log.roll()
    // The same sizes at the same places as before the cut: leftovers would fit exactly behind them.
    log.append([{ topic: 0, value: payloadOf(0, 5, 300) }])
    log.append([{ topic: 0, value: payloadOf(0, 6, 300) }])
    const again = new StorageLog(simulatedWorld(disk), { bootId: bootB })
    expect(again.recovered.topics[0].next).toBe(7)
    expect(again.recovered.damages).toEqual([])
  })

  it('keeps prepared segments that follow without a gap, and removes unfinished ones and strays', () => {
    const sample = new Sample().add(3).flush()
    const { files } = sample.log
    files.create(1, 1, 1, sample.world.calls)
    files.create(2, 1, 1, sample.world.calls)
    files.create(5, 1, 1, sample.world.calls)
    const { disk, log } = sample.reopen((left) => left.put(`${sample.path(3)}.new`, new Uint8Array(77)))
    expect(log.recovered.prepared).toBe(2)
    expect([1, 2, 5].map((segment) => disk.has(sample.path(segment)))).toEqual([true, true, false])
    expect(disk.has(`${sample.path(3)}.new`)).toBe(false)
  })

  it('ignores files that are not its own, and leaves them alone', () => {
    const sample = new Sample().add(3).flush()
    const names = [
      '/log/log/notes.txt',
      '/log/log/00000000000000000007.seg',
      '/log/log/1.seg',
      '/log/log/x.seg.new',
      '/log/stray',
    ]
    const { disk } = sample
      .reopen((full) => {
        for (const name of names) full.put(name, new Uint8Array(9).fill(7))
      })
      .expectExactly(sample.model, 3)
    for (const name of names) expect(disk.has(name)).toBe(true)
  })

  it.each([
    ['truncated', (disk: SimulatedDisk, file: string) => disk.truncate(file, testSegmentBytes - 1)],
    ['cut to nothing', (disk: SimulatedDisk, file: string) => disk.truncate(file, 0)],
    ['missing', (disk: SimulatedDisk, file: string) => disk.drop(file)],
    [
      'of another place',
      (disk: SimulatedDisk, file: string) => disk.put(file, disk.bytes(file.replace('01048576', '00000000'))),
    ],
  ])('reports a segment in the middle that is %s, and delivers what is before and behind it', async (_, damage) => {
    const sample = await threeSegments()
    const { disk, log } = sample.reopen((hit) => damage(hit, sample.path(1)))
    expect(log.recovered.damages).toEqual([{ from: testSegmentBytes, to: 2 * testSegmentBytes }])
    expect(log.recovered.topics[0]).toMatchObject({ name: 'orders', next: 12 })
    expect(log.tail.segment).toBe(2)
    expect(readAll(log.reader, 0, 0, 4, 'dense')).toHaveLength(4)
    expect(readAll(log.reader, 0, 8, 12, 'dense')).toHaveLength(4)
    for (const way of ['dense', 'sparse'] as const) {
      const error = caught(() => readAll(log.reader, 0, 4, 12, way))
      expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 4 })
    }
    // What may be left of it is not thrown away.
    expect(disk.has(sample.path(1))).toBe(sample.disk.has(sample.path(1)) && _ !== 'missing')
  })

  it('believes the footer of a segment without a valid header, and delivers all of it', async () => {
    const sample = await threeSegments()
    const { log } = sample.reopen((hit) => hit.bytes(sample.path(1)).fill(9, 0, 20))
    expect(log.recovered.damages).toEqual([{ from: testSegmentBytes, to: testSegmentBytes + 64 }])
    expectReadable(log.reader, log.recovered, sample.model)
  })

  it('knows the topics and offsets of a segment without a valid header that has no footer, and appends behind it', () => {
    const sample = new Sample().add(3).flush()
    sample.log.roll()
    sample.model.declare('late')
    sample.log.append([{ declare: 'late', topic: 1 }])
    for (let offset = 0; offset < 5; offset++) sample.model.add(1, payloadOf(1, offset, 100))
    sample.log.append(sample.model.topics[1].values.map((value) => ({ topic: 1, value })))
    sample.flush()
    const { log } = sample.reopen((hit) => hit.bytes(sample.path(1)).fill(9, 0, 20))
    expect(log.recovered.damages).toEqual([{ from: testSegmentBytes, to: 2 * testSegmentBytes }])
    expect(log.recovered.topics.map(({ name, next }) => [name, next])).toEqual([
      ['orders', 3],
      ['late', 5],
    ])
    expect(log.tail.segment).toBe(2)
    expectReadable(log.reader, log.recovered, sample.model)
  })

  it('finishes a deletion that a crash has interrupted behind the trim position', async () => {
    const sample = await threeSegments()
    const whole = sample.disk.copy()
    sample.model.topics[0].first = 8
    sample.log.append([{ declare: 'orders', topic: 0, first: 8 }])
    sample.log.deleteBelow(2)
    const { disk, log } = sample.reopen((crashed) => crashed.put(sample.path(1), whole.bytes(sample.path(1))))
    expect(disk.has(sample.path(1))).toBe(false)
    expect(log.recovered).toMatchObject({ trim: 2 * testSegmentBytes, damages: [] })
    expect(log.recovered.topics[0]).toMatchObject({ name: 'orders', first: 8, next: 12 })
    expect(readAll(log.reader, 0, 8, 12, 'dense')).toHaveLength(4)
  })

  it('deletes a segment that somebody has deleted already', async () => {
    const sample = await threeSegments()
    sample.log.append([{ declare: 'orders', topic: 0, first: 8 }])
    sample.disk.drop(sample.path(0))
    sample.log.deleteBelow(2)
    expect(sample.disk.has(sample.path(1))).toBe(false)
  })
})

describe('opening a log', () => {
  const options = (world: ReturnType<typeof simulatedWorld>) => ({
    disk: world.disk,
    directory: world.directory,
    segmentBytes: undefined as number | undefined,
    readOnly: false,
    now: () => 1,
    memory: world.plainMemory,
  })

  it('makes a new one in an empty directory, and counts up the epoch with every owner', () => {
    const world = simulatedWorld()
    const epochs = [1, 2, 3].map(() => {
      const log = openLog({ ...options(world), segmentBytes: testSegmentBytes })
      log.control.close()
      return log.epoch
    })
    expect(epochs).toEqual([1, 2, 3])
    expect(openLog(options(world)).files.segmentBytes).toBe(testSegmentBytes)
  })

  it('refuses a directory with files of somebody else, and a missing one for reading only', () => {
    const world = simulatedWorld()
    expect(caught(() => openLog({ ...options(world), readOnly: true })).code).toBe('BOOKEND_FORMAT')
    world.disk.put('/log/accounts.db', new Uint8Array(5))
    expect(caught(() => openLog(options(world)))).toBeInstanceOf(BookendError)
    expect(world.disk.has('/log/control')).toBe(false)
  })

  it('refuses segments without a control file instead of starting anew over them', () => {
    const sample = new Sample().add(3)
    sample.disk.drop(sample.log.controlPath())
    expect(caught(() => openLog(options(sample.world))).code).toBe('BOOKEND_FORMAT')
  })

  it('refuses another segment size than the log was made with', () => {
    const sample = new Sample()
    expect(() => openLog({ ...options(sample.world), segmentBytes: 2 * testSegmentBytes })).toThrow(RangeError)
  })

  it('takes no epoch and writes nothing for a reader', () => {
    const sample = new Sample().add(3)
    const before = sample.disk.fingerprint()
    const log = openLog({ ...options(sample.world), readOnly: true })
    expect(log.recovered.topics[0].next).toBe(3)
    expect(sample.disk.fingerprint()).toBe(before)
  })
})

function lastNonZero(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end
}
