/** Writing the index, directory and footer of a sealed segment. */
import { crc32 } from 'node:zlib'
import { assert } from '../../errors.js'
import {
  type DirectoryRow,
  encodeDirectory,
  encodeFooter,
  entryBytes,
  footerBytes,
  indexBytes,
  type SegmentFooter,
} from '../../format/segment-layout.js'
import type { DiskFile } from '../files/disk.js'
import type { LiveIndex } from './live-index.js'

const pieceBytes = 256 << 10

/** Where the entries of a packed segment go, behind its batches; its directory and footer stand in the file. */
interface PackedEntries {
  write(at: number, bytes: Uint8Array): void
  /** @param end where the directory begins */
  finish(end: number): { tableAt: number }
}

/**
 * Writes what `index` found behind the data of a segment.
 *
 * Order: the data must be durable before this is called, since the footer says that it is. Nothing is flushed here: on a
 * busy disk that would let the indexes fall far behind the log. A power cut may take any part of what is written: without the footer
 * or the directory (both carry their CRC) the segment is walked at the next open, and an entry that lies is found out
 * at the record it leads to.
 * @param packed undefined: the segment is not packed
 */
export function writeSegmentIndex(
  file: DiskFile,
  base: number,
  segmentBytes: number,
  index: LiveIndex,
  packed?: PackedEntries,
): SegmentFooter {
  const topics = [...index.topics.values()].sort((a, b) => a.topic - b.topic)
  const { entryCount } = index
  const entriesAt = segmentBytes - indexBytes(entryCount, topics.length, index.nameBytes)
  assert(index.isSealed && entriesAt >= index.end, 'the writer left room for the index of the segment')

  let at = entriesAt
  let entriesCrc = 0
  const rows: DirectoryRow[] = []
  for (const entries of topics) {
    const { topic, name, count, firstOffset, readable, words } = entries
    rows.push({ topic, name, count, firstOffset, readable, entriesAt: at, frameBytes: entries.frameBytes })
    const bytes = new Uint8Array(words.buffer, words.byteOffset, count * entryBytes)
    // Piece by piece: what was written is in the cache when it is summed up.
    for (let from = 0; from < bytes.length; from += pieceBytes) {
      const piece = bytes.subarray(from, from + pieceBytes)
      const target = packed ?? file
      target.write(at + from, piece)
      entriesCrc = crc32(piece, entriesCrc)
    }
    at += bytes.length
  }
  const tableAt = packed?.finish(at).tableAt ?? 0
  const directory = encodeDirectory(rows)
  file.write(at, directory)
  const footer: SegmentFooter = {
    base,
    dataEnd: index.end,
    records: entryCount,
    entriesAt,
    directoryAt: at,
    topics: rows.length,
    directoryCrc: crc32(directory),
    entriesCrc,
    firstTime: index.firstTime,
    lastTime: index.lastTime,
    tableAt,
  }
  file.write(segmentBytes - footerBytes, encodeFooter(footer))
  return footer
}
