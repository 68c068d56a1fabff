/** Reading only what matches a filter: chunks are looked through where they are, and what is left of them is one answer. */
import type { Filter } from '../../engine/terms.js'
import { chunkBytes } from '../../limits.js'
import { HeaderMatcher } from '../../messages/header-matcher.js'
import { SelectedRecords } from '../../messages/selected-records.js'
import type { Chunk, Resume } from '../../storage/read/chunk.js'
import type { ChunkAnswer } from './reader.js'

/** Chunks looked through for each that is wanted: about half a millisecond, and then the thread is there for the next task. */
const chunksPerWanted = 4

/** Where reading is to go on, and how far; `count` is how many chunks are wanted. */
export interface SelectiveRequest {
  readonly offset: number
  readonly to: number
  readonly resume: Resume | undefined
  readonly count: number
}

/**
 * One answer, without the records that do not match; it may hold none.
 * @param read the chunk that begins at an offset, into memory that the next call may overwrite
 * @throws what `read` throws for the first chunk; behind it the answer ends in front of what cannot be read
 */
export function readSelected(
  read: (offset: number, resume: Resume | undefined) => Chunk,
  topic: number,
  { offset, to, resume, count }: SelectiveRequest,
  filter: Filter,
): ChunkAnswer {
  const found = new SelectedRecords(topic, new HeaderMatcher(filter), offset)
  let place = resume
  for (let left = count * chunksPerWanted; left > 0 && found.end < to && found.bytes < chunkBytes; left--) {
    try {
      const chunk = read(found.end, place)
      found.add(chunk.bytes, chunk.next)
      place = chunk.resume
    } catch (error) {
      if (found.end === offset) throw error
      // Who comes for what follows meets it again, and hears of it. The way on leads through the index: this chunk was not read to its end.
      place = undefined
      break
    }
  }
  const { bytes, to: last, end } = found.take()
  return { bytes, next: end, resume: place, to: last }
}
