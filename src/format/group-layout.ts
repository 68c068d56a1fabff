/**
 * The groups file: how far every consumer group has come.
 *
 * ```
 *      0 header    magic u32, crc u32 (bytes 8..64), version u32, 4 zeros, logMark (8 bytes)
 *   2048 cell 0    sector 0 identity  crc u32 (bytes 4..512), cell u32, topic bytes u32, name bytes u32, topic, name
 *                  sector 1 record A  crc u32 (bytes 4..512), sequence u32, committed u64, count u32, cell u32,
 *                  sector 2 record B  then `count` acknowledged ranges: first u64, end u64; at 488 applied u64
 *   4096 cell 1    ...
 * ```
 *
 * A cell belongs to a group while its identity is valid. Records A and B are written in turn, each one sector; the
 * valid one with the higher sequence counts, so a torn or damaged one leaves the state before it. A cell lies within one page.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../errors.js'
import { maxGroupRanges } from '../limits.js'
import { logMarkBytes, putHex, takeHex } from './log-id.js'
import { putNumber, takeNumber } from './numbers.js'

export const groupFileVersion = 1
export const groupSectorBytes = 512
export const groupCellBytes = 4 * groupSectorBytes

const magic = 0x31474b42
const headerCrcEnd = 64
const logMarkAt = 16
const identityNamesAt = 16
const recordAt = { crc: 0, sequence: 4, committed: 8, count: 16, cell: 20, ranges: 24, applied: 488 } as const
const rangeBytes = 16

/** How far a group has come: all below `committed` is done, and so are the ranges above it. */
export interface GroupState {
  readonly committed: number
  /** Ascending, none empty, with a gap in front of each. */
  readonly ranges: readonly { readonly first: number; readonly end: number }[]
  /** So many messages of its journal are in it: see ack-layout.ts. 0 unless said. */
  readonly applied?: number | undefined
}

export interface GroupHeader {
  version: number
  /** Of the log that the file belongs to: see format/log-id.ts. */
  logMark: string
}

export interface GroupIdentity {
  topic: string
  name: string
}

export interface GroupRecord {
  sequence: number
  state: GroupState
}

export function groupCellAt(cell: number): number {
  return groupCellBytes * (1 + cell)
}

/** Where in its cell the record with this sequence stands. */
export function groupRecordAt(cell: number, sequence: number): number {
  return groupCellAt(cell) + groupSectorBytes * (1 + (sequence & 1))
}

/** The sequence wraps, to 2: 0 stands for "never written", and 1 would take the place of the record before it. */
export function sequenceAfter(sequence: number): number {
  return (sequence + 1) >>> 0 || 2
}

export function encodeGroupHeader(logMark: string): Uint8Array {
  const bytes = new Uint8Array(groupCellBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, groupFileVersion, true)
  putHex(bytes, logMarkAt, logMark)
  view.setUint32(4, crc32(bytes.subarray(8, headerCrcEnd)), true)
  view.setUint32(0, magic, true)
  return bytes
}

/** What a groups file says of itself, or undefined where that is damaged. */
export function decodeGroupHeader(bytes: Uint8Array): GroupHeader | undefined {
  if (bytes.length < headerCrcEnd) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== crc32(bytes.subarray(8, headerCrcEnd)))
    return undefined
  return { version: view.getUint32(8, true), logMark: takeHex(bytes, logMarkAt, logMarkBytes) }
}

export function encodeGroupIdentity(cell: number, { topic, name }: GroupIdentity): Uint8Array {
  const bytes = new Uint8Array(groupSectorBytes)
  const view = new DataView(bytes.buffer)
  assert(identityNamesAt + topic.length + name.length <= groupSectorBytes, 'the names of a group fit its sector')
  view.setUint32(4, cell, true)
  view.setUint32(8, topic.length, true)
  view.setUint32(12, name.length, true)
  bytes.set(Buffer.from(topic + name, 'latin1'), identityNamesAt)
  view.setUint32(0, crc32(bytes.subarray(4)), true)
  return bytes
}

/** @param bytes the identity's sector, or more */
export function decodeGroupIdentity(cell: number, bytes: Uint8Array): GroupIdentity | undefined {
  if (!isSound(cell, bytes, 4)) return undefined
  const view = viewOf(bytes)
  const topicEnd = identityNamesAt + view.getUint32(8, true)
  const nameEnd = topicEnd + view.getUint32(12, true)
  if (nameEnd > groupSectorBytes) return undefined
  const textOf = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('latin1')
  return { topic: textOf(identityNamesAt, topicEnd), name: textOf(topicEnd, nameEnd) }
}

/** Fails where a state is none: nothing of that kind may ever reach the file. */
export function assertGroupState({ committed, ranges }: GroupState): void {
  assert(Number.isSafeInteger(committed) && committed >= 0, 'a committed offset is an offset')
  let end = committed
  for (const range of ranges) {
    assert(range.first > end && range.end > range.first, 'acknowledged ranges are ascending and apart')
    end = range.end
  }
  assert(Number.isSafeInteger(end), 'an acknowledged range ends at an offset')
}

/**
 * Writes a state into a sector of which {@link sealGroupRecord} completes the rest. Ranges past the first
 * {@link maxGroupRanges} are left out: what they say is not kept.
 */
export function putGroupState(view: DataView, at: number, { committed, ranges, applied = 0 }: GroupState): void {
  const count = Math.min(ranges.length, maxGroupRanges)
  putNumber(view, at + recordAt.committed, committed)
  view.setUint32(at + recordAt.count, count, true)
  putNumber(view, at + recordAt.applied, applied)
  for (let index = 0; index < maxGroupRanges; index++) {
    const { first, end } = index < count ? ranges[index] : { first: 0, end: 0 }
    putNumber(view, at + recordAt.ranges + rangeBytes * index, first)
    putNumber(view, at + recordAt.ranges + rangeBytes * index + 8, end)
  }
}

/** The committed offset of the state in a sector. */
export function committedOf(sector: Uint8Array): number {
  return takeNumber(viewOf(sector), recordAt.committed)
}

/** Completes a sector with a state in it to a record. */
export function sealGroupRecord(sector: Uint8Array, cell: number, sequence: number): void {
  assert(sector.length === groupSectorBytes && sequence > 0, 'a record is a sector with a sequence')
  const view = viewOf(sector)
  view.setUint32(recordAt.cell, cell, true)
  view.setUint32(recordAt.sequence, sequence, true)
  view.setUint32(recordAt.crc, crc32(sector.subarray(4)), true)
}

export function encodeGroupRecord(cell: number, { sequence, state }: GroupRecord): Uint8Array {
  assertGroupState(state)
  const sector = new Uint8Array(groupSectorBytes)
  putGroupState(viewOf(sector), 0, state)
  sealGroupRecord(sector, cell, sequence)
  return sector
}

/** @param bytes the record's sector, or more */
export function decodeGroupRecord(cell: number, bytes: Uint8Array): GroupRecord | undefined {
  if (!isSound(cell, bytes, recordAt.cell)) return undefined
  const view = viewOf(bytes)
  const sequence = view.getUint32(recordAt.sequence, true)
  const committed = takeNumber(view, recordAt.committed)
  const count = view.getUint32(recordAt.count, true)
  if (sequence === 0 || Number.isNaN(committed) || count > maxGroupRanges) return undefined
  const ranges: { first: number; end: number }[] = []
  for (let at = recordAt.ranges; ranges.length < count; at += rangeBytes) {
    const first = takeNumber(view, at)
    const end = takeNumber(view, at + 8)
    if (!(first > (ranges.at(-1)?.end ?? committed) && end > first)) return undefined
    ranges.push({ first, end })
  }
  const applied = takeNumber(view, recordAt.applied)
  if (Number.isNaN(applied)) return undefined
  return { sequence, state: applied === 0 ? { committed, ranges } : { committed, ranges, applied } }
}

/** True for a sector with a matching checksum that was written for this cell. */
function isSound(cell: number, bytes: Uint8Array, cellAt: number): boolean {
  if (bytes.length < groupSectorBytes) return false
  const view = viewOf(bytes)
  return view.getUint32(0, true) === crc32(bytes.subarray(4, groupSectorBytes)) && view.getUint32(cellAt, true) === cell
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
