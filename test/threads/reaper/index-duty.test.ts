import { describe, expect, it } from 'vitest'
import { batchHeaderBytes } from '../../../src/format/batch-layout.js'
import { frameHeaderBytes } from '../../../src/format/frame-layout.js'
import { segmentHeaderBytes } from '../../../src/format/segment-layout.js'
import { readSealedSegment } from '../../../src/storage/index/sealed-index.js'
import { start } from '../../support/driven-reaper.js'
import { readAll } from '../../support/model.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import type { simulatedWorld } from '../../support/worlds.js'

describe('indexing', () => {
  it('writes the footer of a sealed segment after its data is durable, and flushes nothing for it', async () => {
    const { engine, world, fillTo } = start()
    await fillTo(2)
    const file = engine.files.path(0)
    const { calls } = world.disk
    await engine.settle()
    expect(engine.state.indexed.load()).toBe(2 * testSegmentBytes)
    expect(sealed(world, file)).toBeDefined()
    // The flush of the data, then entries of one topic, directory, footer.
    const last = calls.filter((what) => what.file === file && (what.call === 'write' || what.call === 'sync')).slice(-4)
    expect(last.map(({ call }) => call)).toEqual(['sync', 'write', 'write', 'write'])
  })

  it('is done at once where the writer has handed the rows over', async () => {
    const { engine, world, add } = start()
    const file = engine.files.path(0)
    await engine.settle(4)
    while (engine.tail.segment < 1) add(60_000)
    // No time passes: nothing is a pause.
    for (let turn = 0; turn < 12; turn++) {
      engine.reaper.tend()
      await new Promise(setImmediate)
    }
    expect(sealed(world, file)?.rows).toMatchObject([{ topic: 0, name: 'a', firstOffset: 0 }])
    expect(engine.state.indexed.load()).toBe(testSegmentBytes)
  })

  it('waits for a pause in the appends where it has to read them', async () => {
    // Nothing fits.
    const { engine, world, add } = start({ rowBytes: 16 })
    const file = engine.files.path(0)
    await engine.settle(4)
    while (engine.tail.segment < 1) {
      add(60_000)
      await engine.settle(1)
    }
    for (let look = 0; look < 20; look++) {
      add(100)
      await engine.settle(1)
      expect(sealed(world, file)).toBeUndefined()
    }
    await engine.settle()
    expect(sealed(world, file)).toBeDefined()
  })

  it('gives a damaged segment no footer, and goes on', async () => {
    const { engine, world, add, model } = start()
    await engine.settle(4)
    while (engine.tail.segment < 1) add(60_000)
    // In the declaration, which stands in the first batch.
    const bytes = world.disk.bytes(engine.files.path(0))
    bytes[segmentHeaderBytes + batchHeaderBytes + frameHeaderBytes] ^= 1
    await engine.flush()
    await engine.settle()
    expect(engine.state.indexed.load()).toBe(testSegmentBytes)
    expect(sealed(world, engine.files.path(0))).toBeUndefined()
    const { length } = model.topics[0].values
    expect(readAll(engine.reader, 0, 1, length, 'dense')).toHaveLength(length - 1)
  })

  it('does not sum up again what this owner has written: who reads it does', async () => {
    const { engine, world, add, model } = start()
    await engine.settle(4)
    while (engine.tail.segment < 1) add(60_000)
    const file = engine.files.path(0)
    // In the middle of a value, behind the declaration's batch.
    world.disk.bytes(file)[150_000] ^= 1
    await engine.flush()
    await engine.settle()
    const rows = sealed(world, file)?.rows
    expect(rows).toMatchObject([{ topic: 0, name: 'a', firstOffset: 0 }])
    const { length } = model.topics[0].values
    expect(() => readAll(engine.reader, 0, 0, length, 'dense')).toThrow(
      expect.objectContaining({ code: 'BOOKEND_CORRUPT', offset: 2 }),
    )
    expect(readAll(engine.reader, 0, 3, length, 'dense')).toHaveLength(length - 3)
    expect(readAll(engine.reader, 0, 0, 2, 'dense')).toHaveLength(2)
  })

  function sealed(world: ReturnType<typeof simulatedWorld>, file: string) {
    return readSealedSegment((at, length) => world.disk.bytes(file).slice(at, at + length), 0, testSegmentBytes)
  }
})
