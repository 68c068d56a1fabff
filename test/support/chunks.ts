/** Chunks as a reader thread sends them, with whatever records. */
import { batchHeaderBytes, writeBatchHeader } from '../../src/format/batch-layout.js'
import { frameBytes, frameHeaderBytes, frameKind, tailWord } from '../../src/format/frame-layout.js'

/** A chunk of one topic: a batch for each row of offsets, each record with its offset as its one byte. */
export function chunkOf(topic: number, batches: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  const size = frameBytes(1)
  const total = batches.reduce((sum, offsets) => sum + batchHeaderBytes + offsets.length * size, 0)
  const bytes = new Uint8Array(total)
  const words = new Uint32Array(bytes.buffer)
  let at = 0
  for (const offsets of batches) {
    const length = batchHeaderBytes + offsets.length * size
    offsets.forEach((offset, index) => {
      const frame = at + batchHeaderBytes + index * size
      words.set([1, topic, offset, tailWord(0, frameKind.data, 0)], frame >>> 2)
      bytes[frame + frameHeaderBytes] = offset
    })
    writeBatchHeader(bytes, words, at, length, offsets.length, 64 + at, 1_000, 1, topic, 0, 0)
    at += length
  }
  return bytes
}
