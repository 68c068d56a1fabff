/** What the journal of a group acknowledges: see format/ack-layout.ts. */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import { BookendError } from '../../errors.js'
import { decodeAcks } from '../../format/ack-layout.js'
import { batchBytes, batchHeaderBytes } from '../../format/batch-layout.js'
import { frameHeaderBytes, frameWord } from '../../format/frame-layout.js'
import { frameEnd, recordOffset } from '../../format/frame-walk.js'
import type { Chunk } from './chunk.js'
import type { TopicReader } from './topic-reader.js'

/** Of messages `[from, next)`. What damage has taken is passed over: what was acknowledged there comes again. */
export function journaledAcks(
  reader: Pick<TopicReader, 'read'>,
  topic: number,
  from: number,
  next: number,
): OffsetRange[] {
  const acks: OffsetRange[] = []
  let offset = from
  let resume: Chunk['resume'] | undefined
  while (offset < next) {
    try {
      const chunk = reader.read({ topic, offset, to: next, resume })
      for (const value of valuesIn(chunk.bytes, topic, offset, chunk.next)) acks.push(...decodeAcks(value))
      offset = chunk.next
      resume = chunk.resume
    } catch (error) {
      if (!(error instanceof BookendError) || error.code !== 'BOOKEND_CORRUPT') throw error
      offset = error.next ?? next
      resume = undefined
    }
  }
  return acks
}

function* valuesIn(bytes: Uint8Array, topic: number, from: number, to: number): IterableIterator<Uint8Array> {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  for (let batch = 0; batch < bytes.length; batch += batchBytes(words, batch)) {
    const end = batch + batchBytes(words, batch)
    let frame = batch + batchHeaderBytes
    for (let following = frameEnd(words, frame, end); following > 0; following = frameEnd(words, frame, end)) {
      const offset = recordOffset(words, frame, topic)
      const value = frame + frameHeaderBytes
      if (offset >= from && offset < to) yield bytes.subarray(value, value + words[(frame >>> 2) + frameWord.length])
      frame = following
    }
  }
}
