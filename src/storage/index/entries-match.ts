/** Whether the entries of a sealed segment are as they were written: their checksum is in the footer. */
import { crc32 } from 'node:zlib'
import { entryBytes, type SegmentFooter } from '../../format/segment-layout.js'
import { isUnreadable } from '../../memory/errno.js'
import type { Window } from '../../memory/memory.js'

const pieceBytes = 256 << 10

export function entriesMatch(window: Pick<Window, 'readInto'>, footer: SegmentFooter): boolean {
  const { entriesAt, records, entriesCrc } = footer
  const end = entriesAt + records * entryBytes
  const piece = new Uint8Array(Math.min(pieceBytes, end - entriesAt))
  let crc = 0
  try {
    for (let at = entriesAt; at < end; at += piece.length) {
      const length = Math.min(piece.length, end - at)
      window.readInto(piece, 0, at, length)
      crc = crc32(piece.subarray(0, length), crc)
    }
  } catch (error) {
    if (isUnreadable(error)) return false
    throw error
  }
  return crc === entriesCrc
}
