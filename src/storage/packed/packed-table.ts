/** What says of a segment that it is packed, and where its blocks are: its header and footer, and a table that stands in front of the blocks and behind them. */
import { segmentFeature } from '../../format/features.js'
import {
  blockCount,
  decodeTable,
  frontTableAt,
  type PackedTable,
  tableBytes,
  tableLength,
} from '../../format/packed-layout.js'
import {
  decodeFooter,
  decodeSegmentHeader,
  footerBytes,
  type SegmentFooter,
  type SegmentHeader,
  segmentHeaderBytes,
} from '../../format/segment-layout.js'
import { type RawBytes, readable } from './packed-blocks.js'

/** The header of the same segment where it is not packed. */
export function unpackedHeader(header: SegmentHeader): SegmentHeader {
  return { ...header, features: header.features & ~segmentFeature.packed, packing: undefined }
}

/** The table of a packed segment, if one of the two is whole; undefined: it is not packed. */
export function tableOf(
  raw: RawBytes,
  base: number,
  segmentBytes: number,
): { table: PackedTable | undefined; backAt: number; directoryAt: number } | undefined {
  const header = headerOf(raw)
  if (header !== undefined && (header.features & segmentFeature.packed) === 0) return undefined
  // Where the header is damaged, the footer says it as well.
  const backAt = header?.packing?.tableAt ?? footerOf(raw, base, segmentBytes)?.tableAt ?? 0
  if (header === undefined && backAt === 0) return undefined
  const table = tableIn(raw, frontTableAt, base, segmentBytes) ?? tableIn(raw, backAt, base, segmentBytes)
  const directoryAt = table?.end ?? footerOf(raw, base, segmentBytes)?.directoryAt ?? segmentBytes - footerBytes
  return { table, backAt, directoryAt }
}

/** Where the bytes of a packed segment are, in its file; undefined: it is not packed. */
export function packedParts(
  raw: RawBytes,
  base: number,
  segmentBytes: number,
): { from: number; to: number }[] | undefined {
  const found = tableOf(raw, base, segmentBytes)
  if (found === undefined) return undefined
  const { table, backAt } = found
  if (table === undefined) return [{ from: 0, to: segmentBytes }]
  return [
    { from: 0, to: backAt + tableBytes(blockCount(table.end, table.blockLog2)) },
    { from: table.end, to: segmentBytes },
  ]
}

/** What of the tables of a packed segment is damaged; undefined: nothing, or it is not packed. */
export function badTableOf(
  raw: RawBytes,
  base: number,
  segmentBytes: number,
): { at: number; bytes: number } | undefined {
  const backAt = headerOf(raw)?.packing?.tableAt ?? footerOf(raw, base, segmentBytes)?.tableAt ?? 0
  if (backAt === 0) return undefined
  for (const at of [frontTableAt, backAt]) {
    const length = tableLength(readable(raw, at, tableBytes(0))) ?? tableBytes(0)
    if (tableIn(raw, at, base, segmentBytes) === undefined) return { at, bytes: length }
  }
  return undefined
}

function tableIn(raw: RawBytes, at: number, base: number, segmentBytes: number): PackedTable | undefined {
  const length = tableLength(readable(raw, at, tableBytes(0)))
  if (length === undefined || at + length > segmentBytes) return undefined
  return decodeTable(readable(raw, at, length), base, segmentBytes)
}

function headerOf(raw: RawBytes): SegmentHeader | undefined {
  return decodeSegmentHeader(readable(raw, 0, segmentHeaderBytes))
}

function footerOf(raw: RawBytes, base: number, segmentBytes: number): SegmentFooter | undefined {
  return decodeFooter(readable(raw, segmentBytes - footerBytes, footerBytes), base, segmentBytes)
}
