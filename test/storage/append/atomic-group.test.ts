import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameBytes } from '../../../src/format/frame-layout.js'
import { groupFitsSegment } from '../../../src/format/segment-layout.js'
import { payloadOf } from '../../support/frames.js'
import { expectPrefix, expectReadable, Model, readAll, recordsOf } from '../../support/model.js'
import { bootA, bootB, StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

describe('an atomic group', () => {
  it('is gone as a whole if the log ends at any batch inside it, and is never counted in its topic', () => {
    const world = simulatedWorld()
    const log = new StorageLog(world)
    const model = new Model()
    model.declare('t0')
    log.append([{ declare: 't0', topic: 0 }])
    for (let offset = 0; offset < 3; offset++) model.add(0, payloadOf(0, offset, 100))
    log.append(model.topics[0].values.map((value) => ({ topic: 0, value })))
    const before = log.published
    const values = Array.from({ length: 5 }, (_, index) => payloadOf(0, 3 + index, 60_000))
    log.appendGroup(0, values)
    const whole = world.disk.copy()
    const ends = batchEnds(log, before)
    expect(ends.length).toBeGreaterThanOrEqual(4)
    // At the end of every batch but the last, and in the middle of each.
    for (const end of ends.slice(0, -1).flatMap((at) => [at - 8, at, at + 56])) {
      const cut = whole.copy()
      cut.bytes(log.path(0)).fill(0, end)
      const reopened = new StorageLog(simulatedWorld(cut), { bootId: bootB })
      expect(reopened.published).toBe(before)
      expectPrefix(reopened.recovered, model, 3)
      expect(reopened.tail.next(0)).toBe(3)
      expectReadable(reopened.reader, reopened.recovered, model)
      // The next append takes the offsets that the group would have had.
      reopened.append([{ topic: 0, value: payloadOf(0, 3, 10) }])
      const found = recordsOf(reopened.reader.read({ topic: 0, offset: 3, to: 4 }).bytes, 0, 3, 4)
      expect(found[0].value).toEqual(payloadOf(0, 3, 10))
      reopened.close(true)
      const again = new StorageLog(simulatedWorld(cut))
      expect(again.recovered.topics[0].next).toBe(4)
    }
  })

  it('that was not finished counts neither in its topic nor in what the index of the segment needs', () => {
    const world = simulatedWorld()
    const log = new StorageLog(world)
    log.append([
      { declare: 't0', topic: 0 },
      { topic: 0, value: payloadOf(0, 0, 10) },
    ])
    log.appendHalfGroup(0, [payloadOf(0, 1, 50_000), payloadOf(0, 2, 50_000)])
    const { recovered } = new StorageLog(world, { bootId: bootA })
    expect(recovered.topics[0].next).toBe(1)
    expect(recovered.tail.records).toBe(1)
    expect(recovered.tornBytes).toBeGreaterThan(100_000)
  })

  it('that an empty segment is said to hold is always taken, to its last frame, and the segment can still be sealed and indexed', async () => {
    const sizes = fc.oneof(fc.nat(200), fc.nat(70_000), fc.constantFrom(0, 65_400, 32_700))
    await fc.assert(
      fc.asyncProperty(fc.array(sizes, { minLength: 1, maxLength: 8 }), async (pattern) => {
        // As many as are said to fit, in the given mix of sizes.
        const values: Uint8Array[] = []
        for (let bytes = 0; ; ) {
          const size = pattern[values.length % pattern.length]
          bytes += frameBytes(size)
          if (!groupFitsSegment(1 << 20, bytes, values.length + 1)) break
          values.push(new Uint8Array(size).fill(values.length))
        }
        const log = new StorageLog(simulatedWorld())
        log.append([{ declare: 'n'.repeat(200), topic: 0 }])
        log.roll()
        log.appendGroup(0, values)
        expect(log.tail.segment).toBe(1)
        log.roll()
        await log.index()
        expect(log.indexed).toBe(2 << 20)
        expect(readAll(log.reader, 0, 0, values.length, 'borrowed')).toHaveLength(values.length)
      }),
      { numRuns: 25, examples: [[[0]], [[65_400]], [[32_700, 40_000]]] },
    )
  })

  function batchEnds(log: StorageLog, from: number): number[] {
    const ends: number[] = []
    const bytes = log.world.plainMemory.open(log.path(0), 1 << 20, 'read').read(0, 1 << 20)
    const view = new DataView(bytes.buffer)
    for (let at = from; at < log.published; ) {
      at += view.getUint32(at + 8, true)
      ends.push(at)
    }
    return ends
  }
})
