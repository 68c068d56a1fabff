import { batchBytes } from '../../format/batch-layout.js'
import type { RecordsAnswer } from '../../threads/reader/reader.js'

/** A record of an answer; empty if it is not there. A copy of its own: one kept message must not keep the whole answer. */
export function recordIn({ bytes, starts }: RecordsAnswer, index: number): Uint8Array {
  const start = starts[index]
  if (start < 0) return new Uint8Array(0)
  const length = batchBytes(new Uint32Array(bytes.buffer), start)
  return length === bytes.length ? bytes : bytes.slice(start, start + length)
}
