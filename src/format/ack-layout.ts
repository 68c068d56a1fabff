/**
 * What a transaction acknowledges of one group: a message of the group's **journal**, a hidden topic (`.a.CELL`), so that it comes to be with all else in
 * the transaction's atomic group.
 *
 * ```
 *   count x { first u64, end u64 }   ascending ranges of offsets of the group's topic
 * ```
 *
 * The groups file is the journal's checkpoint: a group's record says how many messages of its journal are in its state (`applied`), and who opens the
 * log adds the others. Invariants:
 *
 * - a state goes to the file with no acknowledgement in it whose message is not on the device: after a power cut it would be there without
 *   what it was written with. So the journal can only be ahead of the file, and a journal's message says the same however often it is added;
 * - `applied` passes a message only where all of it is below the committed offset: above it a record may lack what it held before, for want of room;
 * - whoever moves a group to another offset passes the whole journal, with no transaction of the group under way;
 * - a power cut may leave a journal shorter than `applied`: then `applied` is put back to its end, on the device before the first append, since
 *   its offsets are given again. The same for the journal of a cell that gets another group: it begins with what is there applied;
 * - a journal is trimmed below `applied` only when the record that says so is on the device.
 */
import type { OffsetRange } from '../collections/offset-ranges.js'
import { putNumberInto, takeNumber } from './numbers.js'

const rangeBytes = 16

/** Bytes of {@link encodeAcks}. */
export function ackBytes(ranges: readonly OffsetRange[]): number {
  return ranges.length * rangeBytes
}

/** @param bytes so many as {@link ackBytes} */
export function encodeAcks(
  ranges: readonly OffsetRange[],
  bytes: Uint8Array = new Uint8Array(ackBytes(ranges)),
): Uint8Array {
  let at = 0
  for (const { first, end } of ranges) {
    putNumberInto(bytes, at, first)
    putNumberInto(bytes, at + 8, end)
    at += rangeBytes
  }
  return bytes
}

/** What is no range is left out: checksums find accidents only. */
export function decodeAcks(bytes: Uint8Array): OffsetRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const ranges: OffsetRange[] = []
  for (let at = 0; at + rangeBytes <= bytes.length; at += rangeBytes) {
    const range = { first: takeNumber(view, at), end: takeNumber(view, at + 8) }
    if (range.end > range.first) ranges.push(range)
  }
  return ranges
}
