/** Chunks as a reader thread sends them, with whatever records. */
import type { FeedSource } from '../../src/dispatcher/groups/group-feed.js'
import type { ChunkSource } from '../../src/dispatcher/reads/chunk-reader.js'
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

/** A topic of ten messages whose chunks hold the first five, and say that they hold all; and which record a lookup finds. */
export function lyingSource(found: (offset: number) => number = (offset) => offset): ChunkSource & FeedSource {
  return {
    handle: { id: 3, name: 't' },
    checkOpen() {},
    first: () => 0,
    next: () => 10,
    whenNext: () => () => {},
    paced: async (chunk) => chunk,
    chunksInTurn: () => undefined,
    chunk: async (offset) => ({
      bytes: chunkOf(3, [[0, 1], [2, 3, 4].filter((each) => each >= offset)]),
      next: 10,
      resume: undefined,
    }),
    record: async (offset) => {
      const bytes = chunkOf(3, [[found(offset)]])
      return { bytes, length: bytes.length }
    },
  }
}
