/** The ids under which messages of a topic were appended, read back out of the log: they stand in a header. */
import { BookendError } from '../../errors.js'
import { batchBytes, batchHeaderBytes, batchTime } from '../../format/batch-layout.js'
import {
  flagsOf,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameWord,
  noKey,
} from '../../format/frame-layout.js'
import { frameEnd, recordOffset } from '../../format/frame-walk.js'
import { idHeader } from '../../limits.js'
import type { Chunk } from './chunk.js'
import type { TopicReader } from './topic-reader.js'

const needle = Buffer.from(idHeader)

export interface RecalledId {
  /** In UTF-8. */
  id: Uint8Array
  offset: number
  time: number
}

/** Some of the ids of a topic, and where the next ones are to be looked for. */
export interface RecalledPart {
  ids: RecalledId[]
  next: number
  resume: Chunk['resume'] | undefined
}

/**
 * Of messages `[first, next)` appended at or after `since`, in order of offsets. What damage has taken is passed over.
 * @throws whatever else keeps it from reading: who forgot an id would let its message be written again
 */
export function recallIds(
  reader: Pick<TopicReader, 'offsetAt' | 'read'>,
  topic: number,
  first: number,
  next: number,
  since: number,
): RecalledId[] {
  const found: RecalledId[] = []
  let at: Pick<RecalledPart, 'next' | 'resume'> = {
    next: firstSince(reader, topic, first, next, since),
    resume: undefined,
  }
  while (at.next < next) {
    const part = recallPart(reader, topic, at.next, next, since, at.resume)
    for (const known of part.ids) found.push(known)
    at = part
  }
  return found
}

/** The same, as much of it as one chunk holds. @param offset see {@link firstSince}, then {@link RecalledPart.next} */
export function recallPart(
  reader: Pick<TopicReader, 'read'>,
  topic: number,
  offset: number,
  to: number,
  since: number,
  resume: Chunk['resume'] | undefined,
): RecalledPart {
  try {
    const chunk = reader.read({ topic, offset, to, resume })
    const ids = [...idsIn(chunk.bytes, topic, offset, chunk.next)].filter(({ time }) => time >= since)
    return { ids, next: chunk.next, resume: chunk.resume }
  } catch (error) {
    if (!isDamage(error)) throw error
    return { ids: [], next: error.next ?? to, resume: undefined }
  }
}

/** The first message of `[first, next)` that was appended at or after `since`; `next`: none was. */
export function firstSince(
  reader: Pick<TopicReader, 'offsetAt'>,
  topic: number,
  first: number,
  next: number,
  since: number,
): number {
  if (first >= next) return next
  try {
    return reader.offsetAt(topic, since, first, next) ?? next
  } catch (error) {
    if (!isDamage(error)) throw error
    // Its time was asked for, and it cannot be read.
    return first
  }
}

function isDamage(error: unknown): error is BookendError {
  return error instanceof BookendError && error.code === 'BOOKEND_CORRUPT'
}

function* idsIn(bytes: Uint8Array, topic: number, from: number, to: number): IterableIterator<RecalledId> {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  for (let batch = 0; batch < bytes.length; batch += batchBytes(words, batch)) {
    const end = batch + batchBytes(words, batch)
    const time = batchTime(words, batch)
    let frame = batch + batchHeaderBytes
    for (let following = frameEnd(words, frame, end); following > 0; following = frameEnd(words, frame, end)) {
      const offset = recordOffset(words, frame, topic)
      const id = offset >= from && offset < to ? idAt(bytes, words, frame) : undefined
      if (id !== undefined) yield { id, offset, time }
      frame = following
    }
  }
}

function idAt(bytes: Uint8Array, words: Uint32Array, frame: number): Uint8Array | undefined {
  if ((flagsOf(words[(frame >>> 2) + frameWord.tail]) & frameFlag.extended) === 0) return undefined
  const extension = (frame + frameHeaderBytes) >>> 2
  const start = frame + frameHeaderBytes + frameExtensionBytes + (words[extension] === noKey ? 0 : words[extension])
  const end = start + words[extension + 1]
  // Checksums find accidents only.
  if (end > frame + frameHeaderBytes + words[(frame >>> 2) + frameWord.length]) return undefined
  const headers = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
  if (!headers.includes(needle)) return undefined
  try {
    const id: unknown = JSON.parse(headers.toString('utf8'))[idHeader]
    return typeof id === 'string' ? Buffer.from(id) : undefined
  } catch {
    return undefined
  }
}
