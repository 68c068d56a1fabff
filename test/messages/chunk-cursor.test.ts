import { describe, expect, it } from 'vitest'
import { BookendError } from '../../src/errors.js'
import { ChunkCursor, recordAt, visitValues } from '../../src/messages/chunk-cursor.js'
import { ChunkBatch, ChunkRecords } from '../../src/messages/message-batch.js'
import { chunkOf } from '../support/chunks.js'

const topic = 3
const source = { topic: 't', decode: undefined }

function corruptOf(read: () => unknown): { offset?: number; next?: number } {
  try {
    read()
  } catch (error) {
    if (error instanceof BookendError && error.code === 'BOOKEND_CORRUPT')
      return { offset: error.offset, next: error.next }
    throw error
  }
  throw new Error('it was read')
}

/** What a cursor finds, and what it fails with. */
function walk(bytes: Uint8Array, from: number, to: number) {
  const cursor = new ChunkCursor(bytes, topic, from, to)
  const offsets: number[] = []
  const step = () => {
    while (cursor.next()) offsets.push(cursor.offset)
  }
  try {
    step()
    return { offsets, failure: undefined }
  } catch {
    // It does not go on behind it at a further call.
    return { offsets, failure: corruptOf(step) }
  }
}

function visited(bytes: Uint8Array, from: number, to: number): number[] {
  const offsets: number[] = []
  visitValues(bytes, topic, from, to, (_bytes, _start, _end, offset) => offsets.push(offset))
  return offsets
}

describe('a chunk', () => {
  it('is walked from the record asked for to the end asked for', () => {
    const bytes = chunkOf(topic, [[5, 6], [7], [8, 9]])
    for (const [from, to] of [
      [5, 10],
      [6, 9],
      [7, 7],
      [9, 10],
    ]) {
      const expected = Array.from({ length: to - from }, (_, index) => from + index)
      expect(walk(bytes, from, to)).toEqual({ offsets: expected, failure: undefined })
      expect(visited(bytes, from, to)).toEqual(expected)
    }
  })

  it.each<[string, number[][], number, number, number[], number, number]>([
    ['that is empty', [], 4, 6, [], 4, 6],
    ['that holds older records only', [[1, 2], [3]], 4, 6, [], 4, 6],
    ['that begins behind the record', [[6, 7]], 4, 8, [], 4, 6],
    ['that ends too early', [[4, 5]], 4, 8, [4, 5], 6, 8],
    ['with a hole between batches', [[4, 5], [7]], 4, 8, [4, 5], 6, 7],
    ['with a hole in a batch', [[4, 5, 7]], 4, 8, [4, 5], 6, 7],
    ['with a hole that ends behind the range', [[4], [9]], 4, 6, [4], 5, 6],
  ])('%s is not passed over', (_, batches, from, to, found, offset, next) => {
    const bytes = chunkOf(topic, batches)
    expect(walk(bytes, from, to)).toEqual({ offsets: found, failure: { offset, next } })
    expect(corruptOf(() => visited(bytes, from, to))).toEqual({ offset, next })
    const batch = new ChunkBatch(source, topic, bytes, from, to, false)
    expect(corruptOf(() => [...batch])).toEqual({ offset, next })
    expect(corruptOf(() => batch.forEach(() => {}))).toEqual({ offset, next })
    const records = new ChunkRecords(source, topic, bytes, from, to, undefined)
    expect(records.length).toBe(found.length)
    expect(records.end).toBe(offset)
    expect(records.failure).toMatchObject({ code: 'BOOKEND_CORRUPT', offset, next })
  })

  it('whose batches say that they are shorter than their header, or longer than the chunk, ends there', () => {
    for (const length of [0, 8, 47, 0xfffffff0]) {
      const bytes = chunkOf(topic, [[4], [5]])
      const second = new DataView(bytes.buffer).getUint32(8, true)
      new DataView(bytes.buffer).setUint32(second + 8, length, true)
      expect(walk(bytes, 4, 6)).toEqual({ offsets: [4], failure: { offset: 5, next: 6 } })
      expect(corruptOf(() => visited(bytes, 4, 6))).toEqual({ offset: 5, next: 6 })
    }
  })
})

describe('the record of a lookup', () => {
  const bytes = chunkOf(topic, [[7], [9]])
  const words = new Uint32Array(bytes.buffer)
  const second = bytes.length / 2
  const find = (id: number, at: number, offset: number) => corruptOf(() => recordAt(bytes, words, id, at, offset))

  it('is the one of the batch it is said to stand in', () => {
    expect(recordAt(bytes, words, topic, 0, 7)).toMatchObject({ offset: 7, timestamp: 1_000 })
    expect(recordAt(bytes, words, topic, second, 9)).toMatchObject({ offset: 9 })
  })

  it('is no other one, none of another topic, and nothing that is no whole batch', () => {
    expect(find(topic, second, 7)).toEqual({ offset: 7, next: 8 })
    expect(find(topic + 1, 0, 7)).toEqual({ offset: 7, next: 8 })
    expect(find(topic, second + 8, 9)).toEqual({ offset: 9, next: 10 })
    expect(find(topic, bytes.length, 9)).toEqual({ offset: 9, next: 10 })
  })
})
