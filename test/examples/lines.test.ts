import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LineSplitter } from '../../examples/word-count/lines.js'

const NO_LIMIT = 1 << 20

function split(chunks: readonly Uint8Array[], maxLineBytes = NO_LIMIT): string[] {
  const splitter = new LineSplitter(maxLineBytes)
  const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)))
  return [...lines, ...splitter.end()].map((line) => Buffer.from(line).toString('latin1'))
}

function chunksOf(text: string, chunkBytes: number): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  return Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
    bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  )
}

describe('LineSplitter', () => {
  test('keeps the terminator with its line', () => {
    expect(split([Buffer.from('one\ntwo\n')])).toEqual(['one\n', 'two\n'])
  })

  test('lets the last line lack its terminator', () => {
    expect(split([Buffer.from('one\ntwo')])).toEqual(['one\n', 'two'])
  })

  test('leaves CR LF, a lone CR and empty lines as they are', () => {
    expect(split([Buffer.from('a\r\n\r\nb\rc\n\n')])).toEqual(['a\r\n', '\r\n', 'b\rc\n', '\n'])
  })

  test('makes no line of no bytes', () => {
    expect(split([])).toEqual([])
    expect(split([Buffer.alloc(0)])).toEqual([])
  })

  test.each([1, 2, 3, 5, 7, 100])('gives the same lines in chunks of %i bytes', (chunkBytes) => {
    const text = 'first\r\nsecond\n\nthird is longer than a chunk\r\nlast'
    expect(split(chunksOf(text, chunkBytes))).toEqual(split([Buffer.from(text)]))
  })

  test('hands out a long line in pieces cut between words', () => {
    const text = `${'word '.repeat(10)}\nshort\n`
    const lines = split([Buffer.from(text)], 12)
    expect(lines.join('')).toBe(text)
    expect(lines.every((line) => line.length <= 12)).toBe(true)
    expect(lines.join('|')).not.toMatch(/\w\|\w/)
  })

  test('cuts a word only if it alone is longer than a piece', () => {
    expect(split([Buffer.from('x'.repeat(25))], 10)).toEqual(['x'.repeat(10), 'x'.repeat(10), 'x'.repeat(5)])
  })

  test('loses and adds no byte, however the input is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r', '\xff'), maxLength: 200 })
    fc.assert(
      fc.property(letters, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 30 }), (text, chunk, limit) => {
        const lines = split(chunksOf(text, chunk), limit)
        expect(lines.join('')).toBe(text)
        expect(lines.every((line) => line.length > 0 && line.length <= limit)).toBe(true)
        expect(lines.every((line) => !line.slice(0, -1).includes('\n'))).toBe(true)
      }),
    )
  })
})
