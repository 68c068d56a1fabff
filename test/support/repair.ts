/** What can be read of a log that was damaged or repaired. */
import { expect } from 'vitest'
import { BookendError } from '../../src/errors.js'
import { ChunkCursor, partsOf } from '../../src/messages/chunk-cursor.js'
import type { TopicReader } from '../../src/storage/read/topic-reader.js'

export { checkedLog, repairedLog } from './repaired-log.js'

/** Offsets of everything that can be read, going on where errors say so; fails on anything wrong. */
export function readWhatIsLeft(
  reader: TopicReader,
  topic: number,
  values: readonly Uint8Array[],
  first: number,
  next: number,
): Set<number> {
  const found = new Set<number>()
  for (let offset = first; offset < next; ) {
    try {
      const chunk = reader.read({ topic, offset, to: next })
      const cursor = new ChunkCursor(chunk.bytes, topic, offset, chunk.next)
      while (cursor.next()) {
        const { valueStart, valueEnd } = partsOf(cursor.words, cursor.frame)
        expect(Buffer.compare(chunk.bytes.subarray(valueStart, valueEnd), values[cursor.offset])).toBe(0)
        found.add(cursor.offset)
      }
      expect(chunk.next).toBeGreaterThan(offset)
      offset = chunk.next
    } catch (error) {
      if (!(error instanceof BookendError)) throw error
      expect(error.code).toBe('BOOKEND_CORRUPT')
      expect(error.offset).toBe(offset)
      if (error.next === undefined) break
      expect(error.next).toBeGreaterThan(offset)
      offset = error.next
    }
  }
  return found
}
