/** The walk that believes what its owner has written, against the one that sums everything up. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchEpoch, batchHeaderBytes } from '../../../src/format/batch-layout.js'
import { segmentHeaderBytes } from '../../../src/format/segment-layout.js'
import { LiveIndex } from '../../../src/storage/index/live-index.js'
import { payloadOf } from '../../support/frames.js'
import { whatIsStored } from '../../support/indexes.js'
import { StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

/** Of the log, to begin with: what is appended then is the work of the one after it. */
type Step =
  | { append: number; bytes: number; key: boolean }
  | { group: number; sizes: number[] }
  | { trim: number; share: number }
  | { reopen: true }

const topicCount = 4
const topic = fc.nat(topicCount - 1)
const steps = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ append: topic, bytes: fc.nat(20_000), key: fc.boolean() }) },
    {
      weight: 4,
      arbitrary: fc.record({ group: topic, sizes: fc.array(fc.nat(30_000), { minLength: 1, maxLength: 8 }) }),
    },
    { weight: 2, arbitrary: fc.record({ trim: topic, share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.constant({ reopen: true } as const) },
  ),
  { minLength: 20, maxLength: 90 },
)

/** Carries the steps out, over several segments and owners. */
function logOf(script: readonly Step[]) {
  const world = simulatedWorld()
  let log = new StorageLog(world)
  const counts = Array.from({ length: topicCount }, () => 0)
  const declared = new Set<number>()
  const declare = (id: number) => {
    if (declared.has(id)) return
    declared.add(id)
    log.append([{ declare: `topic-${id}`, topic: id }])
  }
  const next = (id: number, bytes: number) => payloadOf(id, counts[id]++, bytes)
  for (const step of script) {
    if ('append' in step) {
      declare(step.append)
      const extras = step.key ? { key: Uint8Array.of(1, step.append), headers: undefined } : undefined
      log.append([{ topic: step.append, value: next(step.append, step.bytes), ...(extras && { extras }) }])
    } else if ('group' in step) {
      declare(step.group)
      const values = step.sizes.map((bytes) => next(step.group, bytes))
      try {
        log.appendGroup(step.group, values)
      } catch {
        log.roll()
        log.appendGroup(step.group, values)
      }
    } else if ('trim' in step) {
      if (declared.has(step.trim)) log.tail.trim(step.trim, Math.floor(counts[step.trim] * step.share))
      log.publish()
    } else {
      log.writeControl(false)
      log.close(false)
      log = new StorageLog(world)
    }
  }
  log.roll()
  return { world, log }
}

function walk(world: ReturnType<typeof simulatedWorld>, log: StorageLog, segment: number, trustedEpoch?: number) {
  const index = new LiveIndex(log.files.base(segment), testSegmentBytes)
  const window = world.plainMemory.open(log.path(segment), testSegmentBytes, 'read')
  while (!index.isSealed && index.damages.length === 0 && index.end < testSegmentBytes)
    index.catchUp(window, testSegmentBytes, true, { stepBytes: 100_000, trustedEpoch })
  window.close()
  return index
}

describe('a walk that believes one owner', () => {
  it('finds in whole segments what one finds that sums everything up, whoever wrote them', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const { world, log } = logOf(script)
        for (let segment = 0; segment < log.tail.segment; segment++) {
          const summedUp = walk(world, log, segment)
          expect([summedUp.isSealed, summedUp.addsUp, summedUp.damages]).toEqual([true, true, []])
          for (let epoch = 1; epoch <= summedUp.lastEpoch + 1; epoch++) {
            const believed = walk(world, log, segment, epoch)
            expect(believed.addsUp).toBe(true)
            expect(whatIsStored(believed)).toEqual(whatIsStored(summedUp))
          }
        }
        log.close(false)
      }),
      { numRuns: 40 },
    )
  })

  it('does not take a wrong bit for an index: the topics are as they were, or it does not add up', () => {
    const script: Step[] = []
    for (let round = 0; round < 40; round++)
      for (let id = 0; id < topicCount; id++)
        script.push(
          { append: id, bytes: (round * 37 + id) % 300, key: id === 1 },
          { group: id, sizes: [10, 20, 200] },
          { trim: id, share: round / 80 },
        )
    const { world, log } = logOf(script)
    const bytes = world.disk.bytes(log.path(0))
    const right = walk(world, log, 0)
    const rows = (index: LiveIndex) =>
      [...index.topics.values()].map(({ words: _, ...row }) => row).sort((a, b) => a.topic - b.topic)
    let noticed = 0
    let unnoticed = 0
    fc.assert(
      fc.property(fc.integer({ min: segmentHeaderBytes, max: right.end - 1 }), fc.nat(7), (at, bit) => {
        bytes[at] ^= 1 << bit
        const believed = walk(world, log, 0, right.lastEpoch)
        bytes[at] ^= 1 << bit
        const isBelieved = believed.isSealed && believed.addsUp && believed.damages.length === 0
        if (!isBelieved) noticed += 1
        else {
          unnoticed += 1
          expect(rows(believed)).toEqual(rows(right))
        }
      }),
      { numRuns: 3_000 },
    )
    // Bits of values are of no account here, those of headers are.
    expect(noticed).toBeGreaterThan(100)
    expect(unnoticed).toBeGreaterThan(100)
    log.close(false)
  })

  it('sums up what others have written', () => {
    const { world, log } = logOf([{ append: 0, bytes: 5_000, key: false }])
    const bytes = world.disk.bytes(log.path(0))
    const { lastEpoch, end } = walk(world, log, 0)
    expect(batchEpoch(new Uint32Array(bytes.buffer, bytes.byteOffset), segmentHeaderBytes)).toBe(lastEpoch)
    // In the value of the only message.
    bytes[end - batchHeaderBytes - 100] ^= 1
    expect(walk(world, log, 0, lastEpoch + 1).damages).toHaveLength(1)
    expect(walk(world, log, 0).damages).toHaveLength(1)
    log.close(false)
  })
})
