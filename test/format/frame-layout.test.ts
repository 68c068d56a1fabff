import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  flagsOf,
  frameBytes,
  frameHeaderBytes,
  frameKind,
  kindOf,
  offsetOf,
  tailWord,
} from '../../src/format/frame-layout.js'
import { highWord, joinWords, lowWord, putNumber, takeNumber } from '../../src/format/numbers.js'
import { ChunkCursor, partsOf, visitValues } from '../../src/messages/chunk-cursor.js'
import { runOf } from '../support/frames.js'

const offsets = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 + 10 }),
  fc.integer({ min: 2 ** 48 - 10, max: 2 ** 48 - 1 }),
  fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32),
)

describe('record frame', () => {
  it('keeps offset, kind and flags apart in its header words', () => {
    fc.assert(
      fc.property(offsets, fc.constantFrom(...Object.values(frameKind)), fc.nat(255), (offset, kind, flags) => {
        const words = Uint32Array.of(lowWord(offset), tailWord(highWord(offset), kind, flags))
        expect([offsetOf(words[0], words[1]), kindOf(words[1]), flagsOf(words[1])]).toEqual([offset, kind, flags])
      }),
    )
  })

  it('takes the least multiple of 8 bytes that holds header and payload', () => {
    fc.assert(
      fc.property(fc.nat(1 << 26), (length) => {
        const bytes = frameBytes(length)
        expect(bytes % 8).toBe(0)
        expect(bytes - frameHeaderBytes - length).toBeGreaterThanOrEqual(0)
        expect(bytes - frameHeaderBytes - length).toBeLessThan(8)
      }),
    )
  })

  it('is read back with key, headers and value as they were written, and with zeros for padding', () => {
    const optional = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), optional, optional, (value, key, headers) => {
        const plain = key === undefined && headers === undefined
        const run = runOf([{ topic: 7, value, extras: plain ? undefined : { key, headers } }])
        // A batch header in front of it makes a chunk of one record.
        const chunk = new Uint8Array(48 + run.bytes.length)
        chunk.set(run.bytes, 48)
        const header = new DataView(chunk.buffer)
        header.setUint32(8, chunk.length, true)
        header.setUint32(12, 1, true)
        header.setUint32(40, 7, true)
        const cursor = new ChunkCursor(chunk, 7, 0, 1)
        expect(cursor.next()).toBe(true)
        const parts = partsOf(cursor.words, cursor.frame)
        expect(chunk.slice(parts.valueStart, parts.valueEnd)).toEqual(value)
        expect(parts.keyStart < 0 ? undefined : chunk.slice(parts.keyStart, parts.keyEnd)).toEqual(key)
        expect(chunk.slice(parts.keyEnd, parts.valueStart)).toEqual(headers ?? new Uint8Array(0))
        expect(chunk.slice(parts.valueEnd).every((byte) => byte === 0)).toBe(true)
        const seen: Uint8Array[] = []
        visitValues(chunk, 7, 0, 1, (bytes, start, end) => seen.push(bytes.slice(start, end)))
        expect(seen).toEqual([value])
        expect(cursor.next()).toBe(false)
      }),
    )
  })
})

describe('numbers', () => {
  it('survive the way through two words up to 2^53 - 1', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const view = new DataView(new ArrayBuffer(8))
        putNumber(view, 0, value)
        expect(takeNumber(view, 0)).toBe(value)
        expect(joinWords(lowWord(value), highWord(value))).toBe(value)
      }),
    )
  })

  it('beyond 2^53 - 1 are not a number, so that no comparison with them holds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2 ** 21, max: 2 ** 32 - 1 }), fc.nat(), (high, low) => {
        const view = new DataView(new ArrayBuffer(8))
        view.setUint32(0, low, true)
        view.setUint32(4, high, true)
        expect(takeNumber(view, 0)).toBeNaN()
      }),
    )
  })
})
