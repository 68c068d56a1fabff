/** What packing has made of a segment, from its header and its footer alone. */
import { blockCount, tableBytes } from '../../format/packed-layout.js'
import type { SegmentFooter, SegmentHeader } from '../../format/segment-layout.js'
import { type BlockCodecName, codecName } from './codecs.js'

export interface PackedAs {
  codec: BlockCodecName
  /** Of batches and index entries, as they were. */
  bytes: number
  /** Of what they take now. */
  packedBytes: number
}

/** Undefined: it is not packed, or its header is damaged. */
export function packedAs(header: SegmentHeader | undefined, footer: SegmentFooter | undefined): PackedAs | undefined {
  const packing = header?.packing
  const codec = packing && codecName(packing.codec)
  if (packing === undefined || codec === undefined || footer === undefined) return undefined
  const { dataEnd, entriesAt, directoryAt } = footer
  const packedBytes = packing.tableAt + tableBytes(blockCount(directoryAt, packing.blockLog2))
  return { codec, bytes: dataEnd + directoryAt - entriesAt, packedBytes }
}
