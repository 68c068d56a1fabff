/** Hot reading against what a log should hold. */
import assert from 'node:assert/strict'
import { partsOf, type RecordPlace } from '../../src/messages/chunk-cursor.js'
import type { HotReader } from '../../src/storage/hot/hot-reader.js'
import type { Resume } from '../../src/storage/read/chunk.js'
import { type ModelTopic, recordsOf } from './model.js'

/** The value of a record as it was found. */
export function valueAt({ bytes, words, frame }: RecordPlace): Uint8Array {
  const { valueStart, valueEnd } = partsOf(words, frame)
  return bytes.subarray(valueStart, valueEnd)
}

/** Whatever is found of a topic is right, alone, among others, and in a chunk. Returns how many were found alone. */
export function checkHot(hot: HotReader, { id, first, values }: ModelTopic): number {
  const offsets = Array.from({ length: values.length - first }, (_, index) => first + index)
  let count = 0
  const check = (record: RecordPlace | undefined, offset: number): void => {
    if (record === undefined) return
    assert.equal(record.offset, offset)
    assert.ok(Buffer.compare(valueAt(record), values[offset]) === 0, `other bytes in the place of ${id}/${offset}`)
  }
  for (const offset of offsets) {
    const record = hot.find(id, offset)
    check(record, offset)
    if (record !== undefined) count += 1
  }
  hot.findMany(id, [-1, ...offsets]).forEach((record, index) => {
    check(record, first + index - 1)
  })
  const memory = hot.target()
  let resume: Resume | undefined
  for (let offset = first; offset < values.length; ) {
    const chunk =
      (resume && hot.chunkBehind(resume, id, offset, values.length, memory)) ?? hot.chunk(id, offset, values.length)
    resume = chunk?.resume
    if (chunk === undefined) {
      offset += 1
      continue
    }
    assert.ok(chunk.next > offset && chunk.next <= values.length)
    for (const found of recordsOf(chunk.bytes, id, offset, chunk.next))
      assert.ok(
        Buffer.compare(found.value, values[found.offset]) === 0,
        `other bytes in a chunk: ${id}/${found.offset}`,
      )
    offset = chunk.next
  }
  return count
}

/** Reads a topic until nothing more is being opened, and all that can be mapped is mapped. Returns how many records are found in the end. */
export async function warmUp(hot: HotReader, topic: ModelTopic): Promise<number> {
  let found = -1
  for (let still = 0; still < 3; ) {
    const now = checkHot(hot, topic)
    await hot.settled()
    still = now === found ? still + 1 : 0
    found = now
  }
  return found
}
