/** The part of a chunk that is older than a time. */
import { ChunkCursor } from './chunk-cursor.js'

/** In front of what the cursor has not come to; undefined: all of that is older. */
export function olderPart(cursor: ChunkCursor, time: number): ChunkCursor | undefined {
  const { bytes, topic, expected: from, to, isSparse } = cursor
  const walk = new ChunkCursor(bytes, topic, from, to, isSparse)
  let last = from
  try {
    while (walk.next()) {
      if (walk.timestamp >= time) return new ChunkCursor(bytes, topic, from, last, isSparse, walk.offset)
      last = walk.offset + 1
    }
  } catch {
    // Whoever comes there meets it.
  }
  return undefined
}
