import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  blockCount,
  blockEnd,
  blockStart,
  decodeTable,
  encodeTable,
  type PackedTable,
  packedCodec,
  tableBytes,
  tableLength,
  tableRow,
} from '../../src/format/packed-layout.js'

const segmentBytes = 1 << 20
const base = 5 * segmentBytes

/** Blocks of a segment, one behind the other, some of them zeros. */
const tables = fc
  .record({
    blockLog2: fc.integer({ min: 12, max: 22 }),
    end: fc.integer({ min: 64, max: segmentBytes - 64 }),
    codec: fc.constantFrom(packedCodec.deflate, packedCodec.zstd),
    seed: fc.nat(),
  })
  .map(({ seed, ...rest }): PackedTable => {
    const rows = new Uint32Array(blockCount(rest.end, rest.blockLog2) * tableRow.words)
    let at = 64
    for (let block = 0; block * tableRow.words < rows.length; block++) {
      const length = blockEnd(block, rest) - blockStart(block, rest)
      const bytes = (seed * (block + 7)) % (length + 1)
      if (at + bytes > rest.end) break
      rows.set([at, bytes, seed], block * tableRow.words)
      at += bytes
    }
    return { base, ...rest, rows }
  })

it('a table is read back, and its first bytes say how long it is', () => {
  fc.assert(
    fc.property(tables, (table) => {
      const bytes = encodeTable(table)
      expect(bytes.length).toBe(tableBytes(blockCount(table.end, table.blockLog2)))
      expect(tableLength(bytes.subarray(0, tableBytes(0)))).toBe(bytes.length)
      expect(decodeTable(bytes, base, segmentBytes)).toEqual(table)
    }),
  )
})

it('a table with any wrong bit, of another segment, or cut off, is none', () => {
  fc.assert(
    fc.property(tables, fc.nat(), (table, place) => {
      const bytes = encodeTable(table)
      expect(decodeTable(bytes, base + segmentBytes, segmentBytes)).toBeUndefined()
      expect(decodeTable(bytes.subarray(0, bytes.length - 1), base, segmentBytes)).toBeUndefined()
      const bit = place % (bytes.length * 8)
      bytes[bit >>> 3] ^= 1 << (bit & 7)
      expect(decodeTable(bytes, base, segmentBytes)).toBeUndefined()
    }),
  )
})

it('a table whose checksum holds leads nowhere outside of what is packed', () => {
  const rows = (at: number, bytes: number) => Uint32Array.of(at, bytes, 0, 0, 0, 0)
  const table = (changes: Partial<PackedTable>) =>
    decodeTable(
      encodeTable({ base, end: 100_000, codec: 1, blockLog2: 16, rows: rows(64, 10), ...changes }),
      base,
      segmentBytes,
    )
  expect(table({})).toBeDefined()
  expect(table({ rows: rows(63, 10) })).toBeUndefined()
  expect(table({ rows: rows(99_991, 10) })).toBeUndefined()
  // More than the block has: the first one is without the header.
  expect(table({ rows: rows(64, 65_536 - 64) })).toBeDefined()
  expect(table({ rows: rows(64, 65_536 - 63) })).toBeUndefined()
  expect(table({ rows: rows(2 ** 32 - 1, 10) })).toBeUndefined()
  expect(table({ end: segmentBytes - 63, rows: new Uint32Array(16 * tableRow.words) })).toBeUndefined()
  expect(table({ rows: Uint32Array.of(64, 10, 0) })).toBeUndefined()
  expect(table({ blockLog2: 11 })).toBeUndefined()
  expect(table({ blockLog2: 23, rows: Uint32Array.of(64, 10, 0) })).toBeUndefined()
})
