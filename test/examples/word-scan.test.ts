import type { MessageBatch } from 'bookend'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { map, reduce, type WordCounts } from '../../examples/word-count/word-scan.js'

/** A batch as the reader threads hand it over: messages side by side in one buffer, with other bytes around them. */
function batchOf(messages: readonly (string | Uint8Array)[]): MessageBatch {
  const values = messages.map((message) => Buffer.from(message))
  const gap = Buffer.from('gap')
  const bytes = Buffer.concat(values.flatMap((value) => [gap, value]))
  const batch = {
    length: values.length,
    firstOffset: 0,
    forEach(visit: (bytes: Uint8Array, start: number, end: number, offset: number) => void): void {
      let end = 0
      for (const [offset, value] of values.entries()) {
        const start = end + gap.length
        end = start + value.length
        visit(bytes, start, end, offset)
      }
    },
  }
  return batch as unknown as MessageBatch
}

function count(...messages: (string | Uint8Array)[]): Record<string, number> {
  return Object.fromEntries(map(batchOf(messages)).words)
}

/** The definition, without a thought for speed. */
function countPlainly(messages: readonly string[]): Map<string, number> {
  const words = new Map<string, number>()
  for (const message of messages) {
    for (const [word] of message.toLowerCase().matchAll(/[\p{L}\p{M}\p{N}_]+/gu))
      words.set(word, (words.get(word) ?? 0) + 1)
  }
  return words
}

function sorted({ words }: { words: ReadonlyMap<string, number> }): [string, number][] {
  return [...words].sort(([a], [b]) => (a < b ? -1 : 1))
}

describe('map', () => {
  test('counts runs of letters, digits and underscores without regard to case', () => {
    expect(count('The the THE_end, x1-x1\r\n')).toEqual({ the: 2, the_end: 1, x1: 2 })
  })

  test('ends a word with its message', () => {
    expect(count('foo', 'bar\n', '', 'foo')).toEqual({ foo: 2, bar: 1 })
  })

  test('knows letters beyond ASCII, and what only looks like one', () => {
    expect(count('Übung ÜBUNG übung\u2014naïve \u201cquoted\u201d 日本')).toEqual({
      übung: 3,
      naïve: 1,
      quoted: 1,
      日本: 1,
    })
  })

  test('takes bytes that are no UTF-8 as separators', () => {
    expect(count(Uint8Array.of(0x61, 0xff, 0x62, 0x20, 0x61))).toEqual({ a: 2, b: 1 })
  })

  test('adds up messages and bytes', () => {
    expect(map(batchOf(['ab\n', '', 'c']))).toMatchObject({ messages: 3, bytes: 4 })
  })

  test('stays exact through many growths of its table', () => {
    const words = Array.from({ length: 20_000 }, (_, index) => `w${index}`)
    const counts = map(batchOf([words.join(' '), words.slice(0, 5000).join(' ')])).words
    expect(counts.size).toBe(20_000)
    expect(counts.get('w4999')).toBe(2)
    expect(counts.get('w5000')).toBe(1)
  })

  test('counts as the plain definition does', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'B', 'b', '_', '1', ' ', '-', 'é', 'É', '\u2019', '\n') })
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 20 }), (messages) => {
        expect(sorted(map(batchOf(messages)))).toEqual(sorted({ words: countPlainly(messages) }))
      }),
    )
  })
})

describe('reduce', () => {
  test('gives the counts of the whole, whichever way the ranges are joined', () => {
    const parts = [['a b', 'c'], ['a a a'], [], ['c d e f a']]
    const counts = (): WordCounts[] => parts.map((part) => structuredClone(map(batchOf(part))))
    const whole = map(batchOf(parts.flat()))
    const fromLeft = counts().reduce(reduce)
    const fromRight = counts().reduceRight((right, left) => reduce(left, right))
    for (const joined of [fromLeft, fromRight]) {
      expect(joined).toMatchObject({ messages: whole.messages, bytes: whole.bytes })
      expect(sorted(joined)).toEqual(sorted(whole))
    }
  })
})
