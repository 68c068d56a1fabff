/** The copy on the simulated disk: whatever the moment of a power cut, a directory is a whole copy or is refused. */
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { AbortWord } from '../../../src/ring/abort-word.js'
import { readSealedSegment } from '../../../src/storage/index/sealed-index.js'
import { type BackupSource, backUp, unfinishedBackupName } from '../../../src/storage/life/backup.js'
import { openLog } from '../../../src/storage/life/open-log.js'
import { payloadOf } from '../../support/frames.js'
import { caught, expectReadable, Model } from '../../support/model.js'
import { imageStyles } from '../../support/power-cuts.js'
import { Seeded } from '../../support/seeded.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { bootA, bootB, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const target = '/copy'

/** A log of three segments: indexed, sealed, active. */
async function sampleLog() {
  const world = simulatedWorld()
  const log = new StorageLog(world)
  const model = new Model()
  model.declare('orders')
  log.append([{ declare: 'orders', topic: 0 }])
  const add = (count: number) => {
    for (let index = 0; index < count; index++) {
      const value = payloadOf(0, model.order.length, 300)
      model.add(0, value)
      log.append([{ topic: 0, value }])
    }
  }
  add(20)
  log.roll()
  await log.index()
  add(20)
  log.roll()
  log.flush()
  add(20)
  const source: BackupSource = {
    disk: world.disk,
    files: log.files,
    calls: world.calls,
    directory: world.directory,
    created: 1,
    features: () => log.control.identity.features,
    now: () => ({
      epoch: 1,
      published: log.published,
      durable: log.durable,
      trim: log.trim,
      time: log.tail.time,
      bootId: bootA,
    }),
    indexed: () => log.indexed,
    copy: async (from, to, at, length) => to.write(at, from.read(at, length)),
    isAborted: () => false,
  }
  return { world, log, model, add, source }
}

/** What the next owner finds in the copy. */
function openCopy(disk: SimulatedDisk, bootId = bootB): StorageLog {
  return new StorageLog({ ...simulatedWorld(disk), directory: target }, { bootId })
}

function openAs(disk: SimulatedDisk) {
  const { plainMemory } = simulatedWorld(disk)
  const options = { segmentBytes: testSegmentBytes, readOnly: false, now: () => 1, memory: plainMemory }
  return openLog({ disk, directory: target, ...options })
}

describe('a backup', () => {
  it('holds all that was published, opens as a log that was closed, and goes on by itself', async () => {
    const { world, source, model, log } = await sampleLog()
    const report = await backUp(source, target)
    expect(report).toEqual({ position: log.published, segments: 3, bytes: 3 * testSegmentBytes })
    const copy = openCopy(world.disk.copy())
    expect(copy.recovered).toMatchObject({
      published: log.published,
      durable: log.published,
      tornBytes: 0,
      damages: [],
    })
    expect(copy.control.found?.isClean).toBe(true)
    expectReadable(copy.reader, copy.recovered, model)
    const value = payloadOf(0, model.order.length, 500)
    model.add(0, value)
    copy.append([{ topic: 0, value }])
    expect(copy.reader.readOne(0, model.order.length - 1)).toBeDefined()
  })

  it('ends where it began, whatever is appended, sealed and indexed while it runs', async () => {
    const { world, source, model, log, add } = await sampleLog()
    const published = log.published
    const count = model.order.length
    let copies = 0
    await backUp(
      {
        ...source,
        copy: async (from, to, at, length) => {
          copies += 1
          // While the second segment is copied its index is being written: half of the file is from before, half from after.
          const half = length >> 1
          to.write(at, from.read(at, half))
          add(3)
          if (copies === 2) {
            log.roll()
            await log.index()
          }
          to.write(at + half, from.read(at + half, length - half))
        },
      },
      target,
    )
    expect(copies).toBe(3)
    const copy = openCopy(world.disk.copy())
    expect(copy.recovered).toMatchObject({ published, tornBytes: 0, damages: [] })
    expect(copy.recovered.topics[0]?.next).toBe(count)
    // A footer vouches for an index that was not there yet when the copy went past it.
    const second = world.disk.bytes(copy.path(1))
    expect(
      readSealedSegment((at, length) => second.slice(at, at + length), testSegmentBytes, testSegmentBytes),
    ).toBeUndefined()
    expectReadable(copy.reader, copy.recovered, model)
  })

  it('takes the committed offsets before it fixes its end', async () => {
    const { world, source, log, add } = await sampleLog()
    const groups = path.join(world.directory, 'groups')
    const committed = () => Buffer.from(String(log.published))
    world.disk.put(groups, committed())
    await backUp(
      {
        ...source,
        // Right after the end of the copy is fixed messages come, and are committed at once.
        now: () => {
          const record = source.now()
          add(5)
          world.disk.put(groups, committed())
          return record
        },
      },
      target,
    )
    const held = Number(Buffer.from(world.disk.bytes(path.join(target, 'groups'))).toString())
    expect(held).toBeLessThanOrEqual(openCopy(world.disk.copy()).recovered.published)
  })

  it('is whole or refused after a power cut at any moment', async () => {
    const { world, source, model, log } = await sampleLog()
    world.disk.settle()
    await backUp(source, target)
    const tally = { nothing: 0, refused: 0, whole: 0 }
    const random = new Seeded(7)
    for (let event = 0; event <= world.disk.events.length; event++) {
      for (const style of imageStyles) {
        const image = world.disk.imageAfter(event, random, style)
        const names = [...image.list(target), ...image.list(`${target}/log`)]
        if (names.length === 0) {
          tally.nothing += 1
        } else if (image.has(`${target}/control`)) {
          tally.whole += 1
          const copy = openCopy(image)
          expect(copy.recovered).toMatchObject({ published: log.published, tornBytes: 0, damages: [] })
          expectReadable(copy.reader, copy.recovered, model)
        } else {
          tally.refused += 1
          expect(caught(() => openAs(image))).toMatchObject({ code: 'BOOKEND_FORMAT' })
        }
      }
    }
    expect(tally.nothing).toBeGreaterThan(0)
    expect(tally.refused).toBeGreaterThan(3)
    expect(tally.whole).toBeGreaterThan(0)
  })

  it('that fails leaves nothing, and the next one succeeds', async () => {
    const { world, source } = await sampleLog()
    for (const failing of [1, 2, 3]) {
      let copies = 0
      const copy: BackupSource['copy'] = async (from, to, at, length) => {
        copies += 1
        if (copies === failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
        to.write(at, from.read(at, length))
      }
      await expect(backUp({ ...source, copy }, target)).rejects.toMatchObject({ code: 'ENOSPC' })
      expect([...world.disk.list(target), ...world.disk.list(`${target}/log`)]).toEqual([])
    }
    await backUp(source, target)
    expect(world.disk.has(`${target}/${unfinishedBackupName}`)).toBe(false)
    expect(openCopy(world.disk.copy()).recovered.damages).toEqual([])
  })

  it('is given up when asked to, and leaves nothing', async () => {
    const { world, source } = await sampleLog()
    const abort = new AbortWord()
    const copy: BackupSource['copy'] = async (from, to, at, length) => {
      to.write(at, from.read(at, length))
      abort.raise()
    }
    await expect(backUp({ ...source, copy, isAborted: () => abort.isRaised }, target)).rejects.toThrow('given up')
    expect([...world.disk.list(target), ...world.disk.list(`${target}/log`)]).toEqual([])
  })

  it('does not go into a directory that is in use, nor into the log itself', async () => {
    const { world, source } = await sampleLog()
    const before = world.disk.fingerprint()
    for (const inside of [world.directory, `${world.directory}/log/copy`]) {
      await expect(backUp(source, inside)).rejects.toThrow(RangeError)
    }
    expect(world.disk.fingerprint()).toBe(before)
    world.disk.put(`${target}/mine`, new Uint8Array(1))
    await expect(backUp(source, target)).rejects.toThrow('is not empty')
    world.disk.drop(`${target}/mine`)
    world.disk.put(`${target}/${unfinishedBackupName}`, new Uint8Array(0))
    await expect(backUp(source, target)).rejects.toThrow('was not finished')
    expect(caught(() => openAs(world.disk))).toMatchObject({
      code: 'BOOKEND_FORMAT',
      message: expect.stringContaining('not finished'),
    })
  })
})
