/**
 * The packed segment: what a sealed segment may become when it has been let alone for long. Batches and index entries stand in blocks, each
 * packed by itself; header, directory and footer stay as they are, where they are.
 *
 * ```
 *   +--------+-------+-------+- - -+-------+-------+- - hole - -+-----------+--------+
 *   | header | table | block |     | block | table |            | directory | footer |
 *   +--------+-------+-------+- - -+-------+-------+- - - - - - +-----------+--------+
 *   0        64                            tableAt              end          -64      segmentBytes
 * ```
 *
 * Positions mean what they meant: block *n* holds the bytes `[n * blockBytes, (n + 1) * blockBytes)` of the segment as it was, the first one
 * without the header, the last one up to `end`, where the directory begins. The table stands twice, so that no single bad sector
 * takes more than its blocks; where the second one is, header and footer say, each of which says by that alone that the segment is packed.
 *
 * table: magic u32, crc u32 (bytes 8 to its end), base u64, end u32, codec u8, blockLog2 u8, zero u16, then a row for each block
 * row (12): at u32 (in the file), bytes u32, crc u32 (of these bytes); bytes 0: the block is zeros; as many as the block has: it
 *         stands as it was; fewer: packed
 */
import { crc32 } from 'node:zlib'
import { putNumber, takeNumber } from './numbers.js'
import { footerBytes, type Packing, segmentHeaderBytes } from './segment-layout.js'

export const packedCodec = { deflate: 1, zstd: 2 } as const
/** What this release writes: 64 KiB. */
export const usualBlockLog2 = 16
/** What it reads: others would be worth nothing, or take too much memory. */
const blockLog2s = { least: 12, most: 22 }

/** Where the first table stands. */
export const frontTableAt = segmentHeaderBytes

const tableMagic = 0x31504b42
const crcStart = 8
const headBytes = 28
/** Words: `at`, `bytes`, `crc`. */
export const tableRow = { at: 0, bytes: 1, crc: 2, words: 3 } as const
const rowBytes = tableRow.words * 4

/** How the blocks of a segment are packed, and where each stands. */
export interface PackedTable extends Omit<Packing, 'tableAt'> {
  base: number
  /** Relative end of what stands in blocks. */
  end: number
  /** See {@link tableRow}. */
  rows: Uint32Array
}

export function blockCount(end: number, blockLog2: number): number {
  return Math.ceil(end / 2 ** blockLog2)
}

export function tableBytes(blocks: number): number {
  return headBytes + blocks * rowBytes
}

/** Where a block begins in the segment as it was. */
export function blockStart(block: number, { blockLog2 }: Pick<PackedTable, 'blockLog2'>): number {
  return Math.max(segmentHeaderBytes, block * 2 ** blockLog2)
}

/** And where it ends. */
export function blockEnd(block: number, { blockLog2, end }: Pick<PackedTable, 'blockLog2' | 'end'>): number {
  return Math.min(end, (block + 1) * 2 ** blockLog2)
}

export function encodeTable({ base, end, codec, blockLog2, rows }: PackedTable): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(headBytes + rows.length * 4)
  const view = new DataView(bytes.buffer)
  putNumber(view, 8, base)
  view.setUint32(16, end, true)
  view.setUint8(20, codec)
  view.setUint8(21, blockLog2)
  for (let word = 0; word < rows.length; word++) view.setUint32(headBytes + word * 4, rows[word], true)
  view.setUint32(4, crc32(bytes.subarray(crcStart)), true)
  view.setUint32(0, tableMagic, true)
  return bytes
}

/**
 * Of how many bytes the table that begins so is; undefined: none begins so.
 * @param bytes at least {@link tableBytes} of no blocks
 */
export function tableLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < headBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const blockLog2 = view.getUint8(21)
  if (view.getUint32(0, true) !== tableMagic || !isBlockLog2(blockLog2)) return undefined
  return tableBytes(blockCount(view.getUint32(16, true), blockLog2))
}

/** @returns undefined unless the table is whole, belongs to `base` and keeps every block inside the segment. */
export function decodeTable(bytes: Uint8Array, base: number, segmentBytes: number): PackedTable | undefined {
  if (tableLength(bytes) !== bytes.length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(4, true) !== crc32(bytes.subarray(crcStart)) || takeNumber(view, 8) !== base) return undefined
  const rows = new Uint32Array((bytes.length - headBytes) / 4)
  for (let word = 0; word < rows.length; word++) rows[word] = view.getUint32(headBytes + word * 4, true)
  const end = view.getUint32(16, true)
  const table = { base, end, codec: view.getUint8(20), blockLog2: view.getUint8(21), rows }
  return end <= segmentBytes - footerBytes && areInside(table) ? table : undefined
}

function areInside(table: PackedTable): boolean {
  const { rows, end } = table
  for (let block = 0; block * tableRow.words < rows.length; block++) {
    const row = block * tableRow.words
    const bytes = rows[row + tableRow.bytes]
    if (bytes === 0) continue
    const at = rows[row + tableRow.at]
    if (at < segmentHeaderBytes || at + bytes > end) return false
    if (bytes > blockEnd(block, table) - blockStart(block, table)) return false
  }
  return true
}

export function isBlockLog2(blockLog2: number): boolean {
  return blockLog2 >= blockLog2s.least && blockLog2 <= blockLog2s.most
}
