/** What cutting a batch stamps into its frames, and says of them. */
import { describe, expect, it } from 'vitest'
import { frameBytes, frameWord, offsetOf } from '../../../src/format/frame-layout.js'
import { segmentHeaderBytes } from '../../../src/format/segment-layout.js'
import { BatchCutter } from '../../../src/storage/append/batch-cutter.js'
import { TopicTable } from '../../../src/storage/append/topic-table.js'
import { maxRowLength, repeatOnce, topicMark } from '../../../src/storage/rows/rows.js'
import { runOf, sizeOf, type TestFrame } from '../../support/frames.js'

const tail = { segment: 3, relative: segmentHeaderBytes, records: 0, topics: 2, nameBytes: 2, time: 1 }
const room = 1 << 20

/** @param nexts of topics 0, 1, ..., all of them declared in the active segment */
function cutterOf(...nexts: number[]) {
  const states = nexts.map((next, id) => ({ id, name: String(id), next, first: 0, declaredIn: tail.segment }))
  const topics = new TopicTable(tail, states)
  return { topics, cutter: new BatchCutter(topics) }
}

const message = (topic: number, bytes: number): TestFrame => ({ topic, value: new Uint8Array(bytes) })

function cut(cutter: BatchCutter, frames: readonly TestFrame[]) {
  const run = runOf(frames)
  const batch = cutter.cut(run, 0, run.bytes.length, false, room)
  let at = 0
  const offsets = frames.map((frame) => {
    const offset = offsetOf(run.words[at / 4 + frameWord.offsetLow], run.words[at / 4 + frameWord.tail])
    at += sizeOf(frame)
    return offset
  })
  return { batch, offsets, row: batch?.row && [...batch.row.words.subarray(0, batch.row.count)] }
}

describe('offsets', () => {
  it.each([0, 2 ** 31 - 2, 2 ** 32 - 2, 2 ** 47 + 2 ** 32 - 2])('go on from %i on', (next) => {
    const { topics, cutter } = cutterOf(next)
    const { offsets } = cut(
      cutter,
      Array.from({ length: 4 }, () => message(0, 10)),
    )
    expect(offsets).toEqual([next, next + 1, next + 2, next + 3])
    expect(topics.next(0)).toBe(next + 4)
  })

  it('are of each topic by itself, whatever comes between', () => {
    const { topics, cutter } = cutterOf(10, 20)
    const frames = [
      message(0, 1),
      message(1, 1),
      message(1, 1),
      message(0, 1),
      { declare: '0', topic: 0 },
      message(0, 1),
    ]
    const { offsets } = cut(cutter, frames)
    // A declaration says which comes next.
    expect(offsets).toEqual([10, 20, 21, 11, 12, 12])
    expect([topics.next(0), topics.next(1)]).toEqual([13, 22])
  })
})

describe('the row of a batch', () => {
  it('has a word for a topic, and one for frames of one length', () => {
    const { cutter } = cutterOf(0, 0)
    const frames = [message(0, 8), message(0, 8), message(0, 9), message(1, 9), message(1, 9), message(0, 9)]
    expect(cut(cutter, frames).row).toEqual([topicMark, 8 + repeatOnce, 9, topicMark + 1, 9 + repeatOnce, topicMark, 9])
  })

  it('has one more where a word does not take more of a length', () => {
    const { cutter } = cutterOf(0)
    const row =
      cut(
        cutter,
        Array.from({ length: 300 }, () => message(0, 5)),
      ).row ?? []
    const counts = row.slice(1).map((word) => Math.floor(word / repeatOnce) + 1)
    expect(row.slice(1).every((word) => (word & maxRowLength) === 5 && word < topicMark)).toBe(true)
    expect(counts).toEqual([128, 128, 44])
  })

  it('is none of a batch with names or keys', () => {
    const { cutter } = cutterOf(0)
    const key = { key: Uint8Array.of(1), headers: undefined }
    expect(cut(cutter, [message(0, 1), { topic: 0, value: new Uint8Array(1), extras: key }]).row).toBeUndefined()
    expect(cut(cutter, [{ declare: 'b', topic: 1 }, message(1, 1)]).row).toBeUndefined()
    expect(cut(cutter, [message(0, 1)]).row).toEqual([topicMark, 1])
  })

  it('is none of a frame that is too long for its words', () => {
    const { cutter } = cutterOf(0)
    const run = { bytes: new Uint8Array(0), words: new Uint32Array([maxRowLength + 1, 0, 0, 1 << 16]) }
    const to = frameBytes(maxRowLength + 1)
    expect(cutter.cut(run, 0, to, false, 2 * to)).toMatchObject({ to, row: undefined })
  })
})
