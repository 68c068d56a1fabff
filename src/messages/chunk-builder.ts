/** Chunks made of single messages, for engines that are not handed them by a file: one batch for each run of messages of one time. */
import type { Extras } from '../engine/terms.js'
import { batchHeaderBytes, markExpiring, putBatchCopy, shrinkBatchCopy } from '../format/batch-layout.js'
import { payloadLength, writeDataFrame } from '../format/frame-encoder.js'
import { frameBytes, frameWord } from '../format/frame-layout.js'
import { highWord, lowWord } from '../format/numbers.js'
import { ChunkCursor } from './chunk-cursor.js'

/** The number that frames carry; an engine whose chunks hold one topic each needs no other. */
export const onlyTopic = 0

/** A message in parts. */
export interface LooseMessage {
  readonly offset: number
  /** Ms since the epoch. */
  readonly time: number
  readonly value: Uint8Array
  readonly extras: Extras | undefined
}

/** A chunk of these messages, which have consecutive offsets, with a cursor in front of the first. The memory is its own. */
export function chunkOf(messages: readonly LooseMessage[]): ChunkCursor {
  const first = messages[0].offset
  return new ChunkCursor(chunkBytesOf(messages), onlyTopic, first, first + messages.length)
}

/** The memory of such a chunk, to be walked elsewhere. */
export function chunkBytesOf(messages: readonly LooseMessage[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunkLength(messages))
  const words = new Uint32Array(bytes.buffer)
  let batch = 0
  let count = 0
  let at = 0
  messages.forEach(({ offset, time, value, extras }, index) => {
    if (index === 0 || time !== messages[index - 1].time) {
      batch = at
      count = 0
      at += batchHeaderBytes
    }
    writeDataFrame(bytes, words, at, onlyTopic, value, extras, 0)
    stampOffset(words, at, offset)
    at += frameBytes(payloadLength(value, extras))
    count += 1
    putBatchCopy(words, batch, at - batch, time, onlyTopic)
    shrinkBatchCopy(words, batch, at - batch, count)
    if (extras?.expiresAt !== undefined) markExpiring(words, batch)
  })
  return bytes
}

function chunkLength(messages: readonly LooseMessage[]): number {
  let length = 0
  messages.forEach(({ time, value, extras }, index) => {
    if (index === 0 || time !== messages[index - 1].time) length += batchHeaderBytes
    length += frameBytes(payloadLength(value, extras))
  })
  return length
}

function stampOffset(words: Uint32Array, frame: number, offset: number): void {
  const word = frame >>> 2
  words[word + frameWord.offsetLow] = lowWord(offset)
  words[word + frameWord.tail] |= highWord(offset) & 0xffff
}
