import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logMarkOf, newLogId } from '../../src/format/log-id.js'
import {
  decodeDirectory,
  decodeFooter,
  decodeSegmentHeader,
  directoryRowBytes,
  encodeDirectory,
  encodeFooter,
  encodeSegmentHeader,
  entryBytes,
  footerBytes,
  groupFitsSegment,
  indexBytes,
  type SegmentFooter,
  segmentHeaderBytes,
} from '../../src/format/segment-layout.js'

const segmentBytes = 1 << 20
const base = 3 * segmentBytes
const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })

function footerWith(changes: Partial<SegmentFooter> = {}): SegmentFooter {
  return {
    base,
    dataEnd: 5_000,
    records: 10,
    entriesAt: 8_000,
    directoryAt: 8_000 + 10 * entryBytes,
    topics: 2,
    directoryCrc: 1,
    entriesCrc: 2,
    firstTime: 3,
    lastTime: 2 ** 41,
    tableAt: 0,
    ...changes,
  }
}

function eachFlip(bytes: Uint8Array, check: () => void): void {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >>> 3] ^= 1 << (bit & 7)
    check()
    bytes[bit >>> 3] ^= 1 << (bit & 7)
  }
}

describe('segment header', () => {
  it('is read back', () => {
    fc.assert(
      fc.property(word, word, fc.maxSafeNat(), word, fc.maxSafeNat(), (version, bytes, at, epoch, created) => {
        const more = { epoch, features: bytes, created, generation: version, logMark: logMarkOf(newLogId()) }
        const header = { version, segmentBytes: bytes, base: at, ...more }
        expect(decodeSegmentHeader(encodeSegmentHeader(header))).toEqual(header)
      }),
    )
  })

  const someHeader = () =>
    encodeSegmentHeader({
      version: 1,
      segmentBytes,
      base,
      epoch: 1,
      features: 0,
      created: 1,
      generation: 0,
      logMark: logMarkOf(newLogId()),
    })

  it('is rejected after any bit has flipped', () => {
    const bytes = someHeader()
    eachFlip(bytes, () => expect(decodeSegmentHeader(bytes)).toBeUndefined())
  })

  it('is rejected when it is cut short, and in random bytes', () => {
    const bytes = someHeader()
    for (let length = 0; length < segmentHeaderBytes; length++) {
      expect(decodeSegmentHeader(bytes.subarray(0, length))).toBeUndefined()
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (random) => decodeSegmentHeader(random) === undefined))
  })
})

describe('segment footer', () => {
  it('is read back', () => {
    const footer = footerWith()
    expect(decodeFooter(encodeFooter(footer), base, segmentBytes)).toEqual(footer)
  })

  it('is rejected after any bit has flipped', () => {
    const bytes = encodeFooter(footerWith())
    eachFlip(bytes, () => expect(decodeFooter(bytes, base, segmentBytes)).toBeUndefined())
  })

  it('is rejected in another segment, so that a stale one never passes', () => {
    const bytes = encodeFooter(footerWith())
    fc.assert(
      fc.property(fc.maxSafeNat(), (elsewhere) => {
        fc.pre(elsewhere !== base)
        expect(decodeFooter(bytes, elsewhere, segmentBytes)).toBeUndefined()
      }),
    )
  })

  it('is rejected unless data, entries and directory stand in order inside the segment, even under a right CRC', () => {
    fc.assert(
      fc.property(word, word, word, word, word, (dataEnd, records, entriesAt, directoryAt, topics) => {
        const footer = footerWith({ dataEnd, records, entriesAt, directoryAt, topics })
        const decoded = decodeFooter(encodeFooter(footer), base, segmentBytes)
        const isInside =
          dataEnd >= segmentHeaderBytes &&
          entriesAt >= dataEnd &&
          directoryAt >= entriesAt + records * entryBytes &&
          segmentBytes - footerBytes >= directoryAt + topics * directoryRowBytes
        expect(decoded !== undefined).toBe(isInside)
      }),
      {
        examples: [
          [5_000, 0, 5_000, 5_000, 0],
          [64, 1, 64, 80, 1],
        ],
      },
    )
  })

  it('is nothing in random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.maxSafeNat(), word, (random, at, bytes) => {
        expect(decodeFooter(random, at, bytes)).toBeUndefined()
      }),
    )
  })
})

describe('segment directory', () => {
  const names = fc.string({ unit: fc.constantFrom(...'abcXYZ09._-'), minLength: 1, maxLength: 200 })
  const rowFields = fc.record({
    topic: word,
    name: names,
    count: fc.nat(10),
    firstOffset: fc.maxSafeNat(),
    readable: fc.maxSafeNat(),
  })

  it('is read back row by row, in exactly the bytes that were reserved for it', () => {
    fc.assert(
      fc.property(fc.array(rowFields, { maxLength: 12 }), (fields) => {
        const rows = fields.map((row) => ({ ...row, entriesAt: 8_000, frameBytes: row.count * 40 }))
        const bytes = encodeDirectory(rows)
        const nameBytes = rows.reduce((sum, { name }) => sum + name.length, 0)
        expect(bytes.length).toBe(indexBytes(0, rows.length, nameBytes) - footerBytes)
        const footer = footerWith({ topics: rows.length, directoryCrc: crc32(bytes) })
        expect(decodeDirectory(bytes, footer)).toEqual(rows)
      }),
    )
  })

  it('is rejected after any bit of rows, names or padding has flipped', () => {
    const rows = [{ topic: 1, name: 'orders', count: 2, firstOffset: 5, readable: 0, entriesAt: 8_000, frameBytes: 80 }]
    const bytes = encodeDirectory(rows)
    const footer = footerWith({ topics: 1, directoryCrc: crc32(bytes) })
    expect(decodeDirectory(bytes, footer)).toEqual(rows)
    eachFlip(bytes, () => expect(decodeDirectory(bytes, footer)).toBeUndefined())
  })

  it('is rejected, not over-read, whatever the bytes under a right CRC say', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(20), (bytes, topics) => {
        const decoded = decodeDirectory(bytes, footerWith({ topics, directoryCrc: crc32(bytes) }))
        for (const row of decoded ?? []) {
          expect(row.name.length).toBeLessThanOrEqual(bytes.length)
          expect(row.entriesAt + row.count * entryBytes).toBeLessThanOrEqual(8_000 + 10 * entryBytes)
        }
        if (bytes.length < topics * directoryRowBytes) expect(decoded).toBeUndefined()
      }),
      {
        numRuns: 1_000,
        examples: [
          [new Uint8Array(0), 3],
          [new Uint8Array(40).fill(0xff), 1],
        ],
      },
    )
  })
})

describe('room in a segment', () => {
  it('admits groups up to a limit that falls with their records and never exceeds the segment', () => {
    fc.assert(
      fc.property(fc.nat(segmentBytes * 2), fc.nat(1_000), (frames, records) => {
        if (!groupFitsSegment(segmentBytes, frames, records)) return
        expect(frames + records * entryBytes).toBeLessThan(segmentBytes)
        expect(groupFitsSegment(segmentBytes, Math.floor(frames / 2), records)).toBe(true)
        expect(groupFitsSegment(segmentBytes, frames, Math.floor(records / 2))).toBe(true)
      }),
    )
    expect(groupFitsSegment(segmentBytes, segmentBytes, 1)).toBe(false)
    expect(groupFitsSegment(segmentBytes, Math.floor(segmentBytes * 0.95), 1)).toBe(true)
  })
})
