/**
 * The segment file: data grows from the front; when it is sealed, an index sorted by topic stands at the back.
 *
 * ```
 *   +--------+-------+-------+- - -+------+ - - zeros - - +---------+-----------+--------+
 *   | header | batch | batch |     | seal |               | entries | directory | footer |
 *   +--------+-------+-------+- - -+------+ - - - - - - - +---------+-----------+--------+
 *   0        64                           dataEnd         entriesAt  directoryAt  -64     segmentBytes
 * ```
 *
 * The writer leaves room for entries, directory and footer; the reaper writes them after the data is flushed. So a valid
 * footer says two things: the segment is sealed, and its data is durable. The index is derived from the batches and can be
 * made again at any time; the batches are the truth, and an entry is believed only as far as its frame agrees.
 *
 * header: magic u32, crc u32 (bytes 8..64), version u32, segmentBytes u32, base u64, epoch u32, features u32, created u64,
 *         generation u32, codec u8, blockLog2 u8, zero u16, tableAt u64 (these of a packed segment: packed-layout.ts), logMark (8 bytes)
 * footer: magic u32, crc u32 (bytes 8..64), base u64, dataEnd u32, records u32, entriesAt u32, directoryAt u32,
 *         topics u32, directoryCrc u32, firstTime u64, lastTime u64, entriesCrc u32, tableAt u32 (0: not packed)
 * entry (16): batch u32, frame u32 (both relative to the segment), length u32, tag u32; all zero: lost to damage
 * directory row (40): topic u32, count u32, firstOffset u64, readable u64 (first readable offset of the topic),
 *         entriesAt u32, nameBytes u32, nameAt u32 (from the directory's start), frameBytes u32; rows sorted by topic
 */
import { crc32 } from 'node:zlib'
import { alignmentBytes, alignUp, declarationReserveBytes, maxBatchBytes } from '../limits.js'
import { batchHeaderBytes } from './batch-layout.js'
import { declareFixedBytes, frameHeaderBytes } from './frame-layout.js'
import { maxStoredNameBytes } from './hidden-topics.js'
import { logMarkBytes, putHex, takeHex } from './log-id.js'
import { putNumber, takeNumber } from './numbers.js'

export const formatVersion = 1
export const segmentHeaderBytes = 64
export const footerBytes = 64
export const entryBytes = 16
export const directoryRowBytes = 40

const headerMagic = 0x31534b42
const footerMagic = 0x31464b42
const crcStart = 8
const logMarkAt = 56

/** Word subscripts inside an index entry. */
export const entryWord = { batch: 0, frame: 1, length: 2, tag: 3, perEntry: entryBytes / 4 } as const

export interface SegmentHeader {
  version: number
  segmentBytes: number
  base: number
  epoch: number
  /** See format/features.ts. */
  features: number
  created: number
  /** How often it was rewritten. */
  generation: number
  /** Undefined: it is not packed. */
  packing?: Packing
  /** Of the log that it belongs to: see format/log-id.ts. */
  logMark: string
}

/** How a segment is packed: see format/packed-layout.ts. */
export interface Packing {
  codec: number
  /** Of the bytes of a block, as a power of two. */
  blockLog2: number
  /** Where the second table of blocks stands. */
  tableAt: number
}

export interface SegmentFooter {
  base: number
  dataEnd: number
  records: number
  entriesAt: number
  directoryAt: number
  topics: number
  directoryCrc: number
  entriesCrc: number
  firstTime: number
  lastTime: number
  /** Of a packed segment, where the second table of its blocks stands; 0: it is not packed. */
  tableAt: number
}

export interface DirectoryRow {
  topic: number
  name: string
  count: number
  firstOffset: number
  /** First readable offset of the topic when the segment was sealed: carries a trim across the deletion of older segments. */
  readable: number
  entriesAt: number
  /** Of its record frames here: what retention by bytes counts. */
  frameBytes: number
}

/** Room at the back of a segment for the index of so many records and topics. */
export function indexBytes(records: number, topics: number, nameBytes: number): number {
  return footerBytes + alignUp(topics * directoryRowBytes + nameBytes) + records * entryBytes
}

/** Bytes that a segment filled up to `relative` can still take, beyond its seal, an index of `index` bytes and the reserve. */
export function segmentRoom(segmentBytes: number, relative: number, index: number): number {
  return segmentBytes - relative - index - batchHeaderBytes - alignmentBytes - declarationReserveBytes
}

/** What an atomic group takes at most: frames, index entries, batch headers and the declarations of its topics. */
export function groupCost(frames: number, records: number, topics = 1): number {
  const batches = 2 * Math.ceil(frames / maxBatchBytes) + 1
  const declaration =
    frameHeaderBytes + declareFixedBytes + directoryRowBytes + 2 * maxStoredNameBytes + 2 * alignmentBytes
  return frames + records * entryBytes + batches * batchHeaderBytes + topics * declaration
}

/** True if an empty segment has room for the group. */
export function groupFitsSegment(segmentBytes: number, frames: number, records: number, topics = 1): boolean {
  return groupCost(frames, records, topics) <= segmentRoom(segmentBytes, segmentHeaderBytes, indexBytes(0, 0, 0))
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, header.version, true)
  view.setUint32(12, header.segmentBytes, true)
  putNumber(view, 16, header.base)
  view.setUint32(24, header.epoch, true)
  view.setUint32(28, header.features, true)
  putNumber(view, 32, header.created)
  view.setUint32(40, header.generation, true)
  if (header.packing !== undefined) {
    view.setUint8(44, header.packing.codec)
    view.setUint8(45, header.packing.blockLog2)
    putNumber(view, 48, header.packing.tableAt)
  }
  putHex(bytes, logMarkAt, header.logMark)
  view.setUint32(4, crc32(bytes.subarray(crcStart)), true)
  view.setUint32(0, headerMagic, true)
  return bytes
}

export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  const view = checked(bytes, headerMagic, segmentHeaderBytes)
  if (view === undefined) return undefined
  const packing = { codec: view.getUint8(44), blockLog2: view.getUint8(45), tableAt: takeNumber(view, 48) }
  return {
    version: view.getUint32(8, true),
    segmentBytes: view.getUint32(12, true),
    base: takeNumber(view, 16),
    epoch: view.getUint32(24, true),
    features: view.getUint32(28, true),
    created: takeNumber(view, 32),
    generation: view.getUint32(40, true),
    ...(packing.tableAt !== 0 && { packing }),
    logMark: takeHex(bytes, logMarkAt, logMarkBytes),
  }
}

export function encodeFooter(footer: SegmentFooter): Uint8Array {
  const bytes = new Uint8Array(footerBytes)
  const view = new DataView(bytes.buffer)
  putNumber(view, 8, footer.base)
  view.setUint32(16, footer.dataEnd, true)
  view.setUint32(20, footer.records, true)
  view.setUint32(24, footer.entriesAt, true)
  view.setUint32(28, footer.directoryAt, true)
  view.setUint32(32, footer.topics, true)
  view.setUint32(36, footer.directoryCrc, true)
  putNumber(view, 40, footer.firstTime)
  putNumber(view, 48, footer.lastTime)
  view.setUint32(56, footer.entriesCrc, true)
  view.setUint32(60, footer.tableAt, true)
  view.setUint32(4, crc32(bytes.subarray(crcStart)), true)
  view.setUint32(0, footerMagic, true)
  return bytes
}

/**
 * Its checksum, which tells one segment's footer from another's, and from that of the same segment after a repair; not from that of the same
 * segment packed.
 */
export function footerCrc(footer: SegmentFooter): number {
  return new DataView(encodeFooter({ ...footer, tableAt: 0 }).buffer).getUint32(4, true)
}

/** @returns undefined unless the footer is whole, belongs to `base` and keeps every part inside the segment. */
export function decodeFooter(bytes: Uint8Array, base: number, segmentBytes: number): SegmentFooter | undefined {
  const view = checked(bytes, footerMagic, footerBytes)
  if (view === undefined || takeNumber(view, 8) !== base) return undefined
  const footer: SegmentFooter = {
    base,
    dataEnd: view.getUint32(16, true),
    records: view.getUint32(20, true),
    entriesAt: view.getUint32(24, true),
    directoryAt: view.getUint32(28, true),
    topics: view.getUint32(32, true),
    directoryCrc: view.getUint32(36, true),
    firstTime: takeNumber(view, 40),
    lastTime: takeNumber(view, 48),
    entriesCrc: view.getUint32(56, true),
    tableAt: view.getUint32(60, true),
  }
  const isOrdered =
    segmentHeaderBytes <= footer.dataEnd &&
    footer.dataEnd <= footer.entriesAt &&
    footer.entriesAt + footer.records * entryBytes <= footer.directoryAt &&
    footer.directoryAt + footer.topics * directoryRowBytes <= segmentBytes - footerBytes
  return isOrdered ? footer : undefined
}

function checked(bytes: Uint8Array, magic: number, length: number): DataView | undefined {
  if (bytes.length < length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  if (view.getUint32(0, true) !== magic) return undefined
  return view.getUint32(4, true) === crc32(bytes.subarray(crcStart, length)) ? view : undefined
}

/** Rows must be sorted by topic. The result fills `indexBytes(0, rows, names) - footerBytes` bytes. */
export function encodeDirectory(rows: readonly DirectoryRow[]): Uint8Array {
  const names = rows.map((row) => Buffer.from(row.name, 'latin1'))
  const nameBytes = names.reduce((sum, name) => sum + name.length, 0)
  const bytes = new Uint8Array(alignUp(rows.length * directoryRowBytes + nameBytes))
  const view = new DataView(bytes.buffer)
  let nameAt = rows.length * directoryRowBytes
  rows.forEach((row, index) => {
    const at = index * directoryRowBytes
    view.setUint32(at, row.topic, true)
    view.setUint32(at + 4, row.count, true)
    putNumber(view, at + 8, row.firstOffset)
    putNumber(view, at + 16, row.readable)
    view.setUint32(at + 24, row.entriesAt, true)
    view.setUint32(at + 28, names[index].length, true)
    view.setUint32(at + 32, nameAt, true)
    view.setUint32(at + 36, row.frameBytes, true)
    bytes.set(names[index], nameAt)
    nameAt += names[index].length
  })
  return bytes
}

/** @returns undefined if the bytes are not the directory that the footer describes. */
export function decodeDirectory(bytes: Uint8Array, footer: SegmentFooter): DirectoryRow[] | undefined {
  if (bytes.length < footer.topics * directoryRowBytes || crc32(bytes) !== footer.directoryCrc) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const rows: DirectoryRow[] = []
  for (let index = 0; index < footer.topics; index++) {
    const at = index * directoryRowBytes
    const nameBytes = view.getUint32(at + 28, true)
    const nameAt = view.getUint32(at + 32, true)
    const row: DirectoryRow = {
      topic: view.getUint32(at, true),
      count: view.getUint32(at + 4, true),
      firstOffset: takeNumber(view, at + 8),
      readable: takeNumber(view, at + 16),
      entriesAt: view.getUint32(at + 24, true),
      frameBytes: view.getUint32(at + 36, true),
      name: Buffer.from(bytes.subarray(nameAt, nameAt + nameBytes)).toString('latin1'),
    }
    const isInside =
      nameAt + nameBytes <= bytes.length &&
      row.entriesAt >= footer.entriesAt &&
      row.entriesAt + row.count * entryBytes <= footer.directoryAt
    if (!isInside || Number.isNaN(row.firstOffset) || Number.isNaN(row.readable)) return undefined
    rows.push(row)
  }
  return rows
}
