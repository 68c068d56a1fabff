/** Messages in an array, and the chunks that are made of them when somebody reads. */
import type { Extras } from '../../../src/engine/terms.js'
import { batchHeaderBytes, putBatchCopy } from '../../../src/format/batch-layout.js'
import { payloadLength, writeDataFrame } from '../../../src/format/frame-encoder.js'
import { frameBytes, frameWord } from '../../../src/format/frame-layout.js'
import { ChunkCursor } from '../../../src/messages/chunk-cursor.js'

/** The number that frames carry; an engine whose chunks hold one topic each needs no other. */
const onlyTopic = 0

export interface Stored {
  readonly offset: number
  readonly time: number
  readonly value: Uint8Array
  readonly extras: Extras | undefined
}

/** A chunk of these messages, each in a batch of its own, with a cursor in front of the first. */
export function chunkOf(messages: readonly Stored[]): ChunkCursor {
  const sizes = messages.map(({ value, extras }) => batchHeaderBytes + frameBytes(payloadLength(value, extras)))
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
  const words = new Uint32Array(bytes.buffer)
  let at = 0
  messages.forEach(({ offset, time, value, extras }, index) => {
    const frame = at + batchHeaderBytes
    writeDataFrame(bytes, words, frame, onlyTopic, value, extras, 0)
    stampOffset(words, frame, offset)
    putBatchCopy(words, at, sizes[index], time, onlyTopic)
    at += sizes[index]
  })
  const [first] = messages
  return new ChunkCursor(bytes, onlyTopic, first.offset, first.offset + messages.length)
}

/** Offsets here stay far below 2^32. */
function stampOffset(words: Uint32Array, frame: number, offset: number): void {
  words[(frame >>> 2) + frameWord.offsetLow] = offset
}
