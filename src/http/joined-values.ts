/** The values of a batch, brought together in the memory of that, which is the reader's own: what stands between them there is longer than what JSON wants. */
import type { MessageBatch } from '../messages/message-batch.js'

const opening = 0x5b
const comma = 0x2c
const closing = 0x5d

export interface JoinedValues {
  /** Of the values alone. */
  readonly bytes: number
  readonly count: number
  /** Offset behind the last one. */
  readonly next: number
  /** There is more in the batch. */
  readonly isCut: boolean
  /** @param isLast nothing follows: JSON is closed */
  piece(isLast: boolean): Uint8Array
}

const none = new Uint8Array(0)

/**
 * Once for a batch: there is nothing else to be read in it then. One value at least.
 * @param isFirst nothing stands before it
 * @param before offset of the first one that is not wanted
 */
export function joined(
  batch: MessageBatch<unknown>,
  isJson: boolean,
  isFirst: boolean,
  before: number,
  maxBytes = Number.POSITIVE_INFINITY,
): JoinedValues {
  let memory: Uint8Array = none
  let [bytes, length, count] = [0, 0, 0]
  let next = batch.firstOffset
  let isCut = false
  batch.forEach((chunk, start, end, offset) => {
    isCut ||= offset >= before || (count > 0 && bytes + end - start > maxBytes)
    if (isCut) return
    if (isJson) chunk[length++] = isFirst && count === 0 ? opening : comma
    // Never in front of what it comes from: there is a header before each.
    chunk.copyWithin(length, start, end)
    memory = chunk
    length += end - start
    bytes += end - start
    count += 1
    next = offset + 1
  })
  return {
    ...{ bytes, count, next, isCut },
    piece(isLast) {
      if (isLast && isJson) memory[length++] = closing
      return memory.subarray(0, length)
    },
  }
}
