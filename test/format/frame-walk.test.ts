import { expect, it } from 'vitest'
import { frameBytes, frameKind, tailWord } from '../../src/format/frame-layout.js'
import { frameEnd, recordOffset } from '../../src/format/frame-walk.js'

/** Frames with these lengths, back to back, whatever they say. */
function framesOf(lengths: readonly number[]): { words: Uint32Array; end: number } {
  const end = lengths.reduce((sum, length) => sum + frameBytes(length), 0)
  const words = new Uint32Array(end / 4)
  let at = 0
  for (const length of lengths) {
    words.set([length, 7, 9, tailWord(1, frameKind.data, 0)], at / 4)
    at += frameBytes(length)
  }
  return { words, end }
}

function walk(words: Uint32Array, end: number): number[] {
  const starts: number[] = []
  for (let frame = 0, next = frameEnd(words, frame, end); next > 0; frame = next, next = frameEnd(words, frame, end))
    starts.push(frame)
  return starts
}

it('a walk meets every frame, up to one that fills what is left to its last byte', () => {
  const { words, end } = framesOf([0, 1, 8, 9, 100, 0])
  expect(walk(words, end)).toEqual([0, 16, 40, 64, 96, 216])
  expect(walk(words, end - 16)).toHaveLength(5)
  expect(walk(words, end - 8)).toHaveLength(5)
  expect(walk(words, 0)).toEqual([])
})

it.each([25, 0x7fffffff, 0x80000000, 0xffffffe8, 0xffffffef, 0xfffffff0, 0xffffffff])(
  'a length of %d that somebody made up ends it, and leads neither out nor round',
  (length) => {
    const { words, end } = framesOf([8, 8, 8])
    words[24 / 4] = length
    expect(walk(words, end - 8)).toEqual([0])
  },
)

it('tells records of a topic from all else', () => {
  const { words } = framesOf([8])
  expect(recordOffset(words, 0, 7)).toBe(2 ** 32 + 9)
  expect(recordOffset(words, 0, 8)).toBe(-1)
  words[3] = tailWord(1, frameKind.declare, 0)
  expect(recordOffset(words, 0, 7)).toBe(-1)
})
