/**
 * Reading only what is wanted: chunks are looked through where they are, and what is left of them is one answer. Where it is known which records may be
 * wanted, by an index or since they are named, and they are few, no others are read.
 */
import { chunkBytes } from '../../limits.js'
import { SelectedRecords } from '../../messages/selected-records.js'
import type { RecordSelection } from '../../messages/selection.js'
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

/** Records that may match, one-record batches in order: up to `next` there is no other. */
export interface ToldRecords {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Behind the last of them; where they were looked for from, if there is none. */
  readonly to: number
  readonly next: number
  readonly resume: Resume | undefined
}

/** How a topic is looked through. */
export interface SelectionSource {
  /** The chunk that begins at an offset, into memory that the next call may overwrite. */
  read(offset: number, resume: Resume | undefined): Chunk
  /** Undefined: that is not known, or nearly all may match. */
  told(offset: number): ToldRecords | undefined
}

/**
 * One answer, without the records that do not match; it may hold none.
 * @throws what the source throws at the offset; behind it the answer ends in front of what cannot be read
 */
export function readSelected(
  source: SelectionSource,
  topic: number,
  { offset, to, resume, count }: SelectiveRequest,
  selection: RecordSelection,
): ChunkAnswer {
  const found = new SelectedRecords(topic, selection, offset)
  let place = resume
  for (let left = count * chunksPerWanted; left > 0 && found.end < to && found.bytes < chunkBytes; left--) {
    try {
      const told = source.told(found.end)
      const chunk = told ?? source.read(found.end, place)
      if (told === undefined) found.add(chunk.bytes, chunk.next)
      else found.addSparse(told.bytes, told.to, told.next)
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
