/** The scan module of the benchmark: runs in the reader threads, visits every message, makes no object per message. */
import type { MessageBatch } from 'bookend'

/** What a scan counted. `firstBytes` folds one byte of each message in, so that the visit really loads it. */
export interface ByteCount {
  readonly messages: number
  readonly bytes: number
  readonly firstBytes: number
}

export function map(batch: MessageBatch): ByteCount {
  let messages = 0
  let total = 0
  let firstBytes = 0
  batch.forEach((bytes, start, end) => {
    messages++
    total += end - start
    firstBytes ^= bytes[start]!
  })
  return { messages, bytes: total, firstBytes }
}

export function reduce(a: ByteCount, b: ByteCount): ByteCount {
  return { messages: a.messages + b.messages, bytes: a.bytes + b.bytes, firstBytes: a.firstBytes ^ b.firstBytes }
}
