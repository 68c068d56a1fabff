import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchFlag, batchHeaderBytes, writeBatchHeader } from '../../../src/format/batch-layout.js'
import { findNextBatch, scanBatches } from '../../../src/storage/index/batch-scan.js'
import { LiveIndex } from '../../../src/storage/index/live-index.js'
import { runOf } from '../../support/frames.js'
import { simulatedWorld } from '../../support/worlds.js'

const base = 2 ** 33

interface Plan {
  bodyBytes: number
  flags: number
}

/** Batches back to back from `at` on, and where each begins. */
function logOf(plans: readonly Plan[], at = 0, room = 0): { bytes: Uint8Array<ArrayBuffer>; starts: number[] } {
  const total = plans.reduce((sum, { bodyBytes }) => sum + batchHeaderBytes + bodyBytes, at)
  const bytes = new Uint8Array(total + room)
  const words = new Uint32Array(bytes.buffer)
  const starts: number[] = []
  let next = at
  for (const { bodyBytes, flags } of plans) {
    const end = next + batchHeaderBytes + bodyBytes
    bytes.fill(0x5a, next + batchHeaderBytes, end)
    const crc = crc32(bytes.subarray(next + batchHeaderBytes, end))
    writeBatchHeader(bytes, words, next, end - next, 1, base + next, 1, 1, 1, flags, crc)
    starts.push(next)
    next = end
  }
  return { bytes, starts }
}

const plans = fc.array(fc.record({ bodyBytes: fc.nat(20).map((words) => words * 8), flags: fc.constant(0) }), {
  maxLength: 12,
})

describe('scanning batches', () => {
  it('visits every batch of a log in order, up to its end', () => {
    fc.assert(
      fc.property(plans, (batches) => {
        const { bytes, starts } = logOf(batches)
        const seen: number[] = []
        const result = scanBatches(bytes, base, bytes.length, (_, at) => seen.push(at))
        expect(seen).toEqual(starts)
        expect(result).toEqual({ end: bytes.length, stop: 'end', needed: 0 })
      }),
    )
  })

  it('stops behind a seal', () => {
    const { bytes, starts } = logOf([
      { bodyBytes: 8, flags: 0 },
      { bodyBytes: 0, flags: batchFlag.seal },
      { bodyBytes: 8, flags: 0 },
    ])
    expect(scanBatches(bytes, base, bytes.length, () => {})).toEqual({ end: starts[2], stop: 'seal', needed: 0 })
  })

  it('asks for the rest of a batch that the bytes at hand cut off, wherever they do', () => {
    const { bytes, starts } = logOf([
      { bodyBytes: 40, flags: 0 },
      { bodyBytes: 80, flags: 0 },
    ])
    for (let length = starts[1] + 1; length < bytes.length; length++) {
      const result = scanBatches(bytes.subarray(0, length), base, bytes.length, () => {})
      const needed = length - starts[1] < batchHeaderBytes ? batchHeaderBytes : bytes.length - starts[1]
      expect(result).toEqual({ end: starts[1], stop: 'partial', needed })
    }
  })

  it('calls a rest too short for a header bad, so that nobody asks for bytes that cannot come', () => {
    for (let rest = 8; rest < batchHeaderBytes; rest += 8) {
      const { bytes, starts } = logOf([{ bodyBytes: 8, flags: 0 }], 0, rest)
      const result = scanBatches(bytes, base, bytes.length, () => {})
      expect(result).toEqual({ end: starts[0] + batchHeaderBytes + 8, stop: 'bad', needed: 0 })
    }
  })

  it('stops in front of the batch whose bit has flipped, for every bit', () => {
    const { bytes, starts } = logOf([
      { bodyBytes: 8, flags: 0 },
      { bodyBytes: 16, flags: 0 },
      { bodyBytes: 8, flags: 0 },
    ])
    for (let bit = starts[1] * 8; bit < starts[2] * 8; bit++) {
      bytes[bit >>> 3] ^= 1 << (bit & 7)
      expect(scanBatches(bytes, base, bytes.length, () => {})).toEqual({ end: starts[1], stop: 'bad', needed: 0 })
      bytes[bit >>> 3] ^= 1 << (bit & 7)
    }
  })

  it('survives random bytes, and bytes mutated from a real log, without reading outside them', () => {
    const { bytes } = logOf([
      { bodyBytes: 64, flags: 0 },
      { bodyBytes: 128, flags: 0 },
      { bodyBytes: 0, flags: batchFlag.seal },
    ])
    const mutated = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const copy = bytes.slice()
      for (const [at, value] of changes) copy[at] = value
      return copy
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated), fc.nat(1_000), (input, limit) => {
        let end = 0
        const result = scanBatches(input, base, limit, (header, at) => {
          expect(at).toBe(end)
          end = at + header.bytes
          expect(end).toBeLessThanOrEqual(Math.min(input.length, limit))
        })
        expect(result.end).toBe(end)
        // What is asked for never exceeds what the log can have there.
        expect(end + result.needed).toBeLessThanOrEqual(Math.max(limit, end + batchHeaderBytes))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('finding the next batch behind damage', () => {
  const finder = (bytes: Uint8Array) => (at: number, length: number) => {
    if (at < 0 || at + length > bytes.length) throw new Error(`read outside: ${at}, ${length}`)
    return bytes.slice(at, at + length)
  }

  it('finds the first valid batch at or after the place, at any distance', () => {
    const gaps = fc.oneof(fc.nat(200), fc.integer({ min: 131_060, max: 131_080 })).map((words) => words * 8)
    fc.assert(
      fc.property(
        gaps,
        fc.nat(30).map((words) => words * 8),
        (gap, body) => {
          const { bytes, starts } = logOf([{ bodyBytes: body, flags: 0 }], gap)
          expect(findNextBatch(finder(bytes), base, 0, bytes.length)).toBe(starts[0])
          expect(findNextBatch(finder(bytes), base, gap, bytes.length)).toBe(starts[0])
          expect(findNextBatch(finder(bytes), base, gap + 8, bytes.length)).toBe(-1)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('is not misled by a payload that looks like a batch', () => {
    const inner = logOf([{ bodyBytes: 8, flags: 0 }]).bytes
    const { bytes } = logOf([{ bodyBytes: 200, flags: 0 }], 8)
    // A whole batch of another place, inside the damage.
    bytes.set(inner, 96)
    expect(findNextBatch(finder(bytes), base, 16, bytes.length)).toBe(-1)
  })

  it('passes a header whose body is damaged', () => {
    const { bytes, starts } = logOf([
      { bodyBytes: 64, flags: 0 },
      { bodyBytes: 64, flags: 0 },
    ])
    bytes[starts[0] + batchHeaderBytes] ^= 1
    expect(findNextBatch(finder(bytes), base, 0, bytes.length)).toBe(starts[1])
  })

  it('finds nothing in random bytes and reads nothing outside its range', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 500 }),
        fc.nat(60).map((words) => words * 8),
        (random, from) => {
          const bytes = random.subarray(0, random.length - (random.length % 8))
          expect(findNextBatch(finder(bytes), base, from, bytes.length)).toBe(-1)
        },
      ),
    )
  })
})

describe('the index of a segment', () => {
  const segmentBytes = 64 * 1024

  function indexOf(fill: (bytes: Uint8Array<ArrayBuffer>) => void): LiveIndex {
    const world = simulatedWorld()
    const bytes = new Uint8Array(segmentBytes)
    fill(bytes)
    world.disk.put('/x', bytes)
    const index = new LiveIndex(base, segmentBytes)
    index.catchUp(world.plainMemory.open('/x', segmentBytes, 'read'), segmentBytes, true)
    return index
  }

  it('ends, whatever valid batches leave at the end of the segment', () => {
    for (let rest = 0; rest <= 2 * batchHeaderBytes; rest += 8) {
      const index = indexOf((bytes) => {
        const { bytes: log } = logOf([{ bodyBytes: segmentBytes - 64 - batchHeaderBytes - rest, flags: 0 }], 64)
        bytes.set(log)
      })
      expect(index.end).toBe(segmentBytes - rest)
    }
  })

  it('takes no more memory than the segment has, whatever offsets and lengths stand in a valid batch', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 400 }), fc.nat(), (body, offset) => {
        const frames = runOf([{ topic: 1, value: body }])
        const words = new Uint32Array(frames.bytes.buffer)
        words[2] = offset
        // A second frame made of anything at all, under a right CRC.
        const random = body.subarray(0, body.length - (body.length % 8))
        const all = Buffer.concat([frames.bytes, random])
        const index = indexOf((bytes) => {
          const length = batchHeaderBytes + all.length
          bytes.set(all, 64 + batchHeaderBytes)
          writeBatchHeader(bytes, new Uint32Array(bytes.buffer), 64, length, 2, base + 64, 1, 1, 1, 0, crc32(all))
        })
        for (const topic of index.topics.values()) expect(topic.words.length * 4).toBeLessThanOrEqual(4 * segmentBytes)
        expect(index.end).toBe(64 + batchHeaderBytes + all.length)
      }),
      { numRuns: 300 },
    )
  })
})
