import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchHeaderBytes, bodyMatches, readBatchHeader, writeBatchHeader } from '../../src/format/batch-layout.js'
import { runOf } from '../support/frames.js'

const position = 5 * 2 ** 32 + 4096

function batchOf(body: Uint8Array, at = 0): Uint8Array {
  const bytes = new Uint8Array(at + batchHeaderBytes + body.length)
  bytes.set(body, at + batchHeaderBytes)
  const words = new Uint32Array(bytes.buffer)
  writeBatchHeader(bytes, words, at, bytes.length - at, 3, position, 1_700_000_000_000, 9, 4, 1, crc32(body))
  return bytes
}

/** The batch as a scanner takes it: header and body. */
function isValid(bytes: Uint8Array, at = 0): boolean {
  const header = readBatchHeader(bytes, at, position, bytes.length - at)
  return header !== undefined && at + header.bytes <= bytes.length && bodyMatches(bytes, at, header)
}

const bodies = fc.uint8Array({ maxLength: 64 }).map((bytes) => bytes.subarray(0, bytes.length - (bytes.length % 8)))

describe('batch', () => {
  it('is read back field by field, wherever it stands', () => {
    fc.assert(
      fc.property(
        bodies,
        fc.nat(4).map((words) => words * 8),
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 2 ** 32 - 1 }))),
        (body, at, where, time, [count, epoch, topic, flags]) => {
          const length = batchHeaderBytes + body.length
          const bytes = new Uint8Array(at + length + 8)
          bytes.set(body, at + batchHeaderBytes)
          const words = new Uint32Array(bytes.buffer)
          writeBatchHeader(bytes, words, at, length, count, where, time, epoch, topic, flags, crc32(body))
          const header = readBatchHeader(bytes, at, where, length)
          expect(header).toMatchObject({ bytes: length, count, position: where, time, epoch, topic, flags })
          expect(header !== undefined && bodyMatches(bytes, at, header)).toBe(true)
        },
      ),
    )
  })

  it('is rejected after any single bit of its header, frames or padding has flipped', () => {
    const bytes = batchOf(runOf([{ topic: 4, value: Uint8Array.of(1, 2, 3, 0, 0) }]).bytes)
    expect(isValid(bytes)).toBe(true)
    const missed: number[] = []
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >>> 3] ^= 1 << (bit & 7)
      if (isValid(bytes)) missed.push(bit)
      bytes[bit >>> 3] ^= 1 << (bit & 7)
    }
    expect(missed).toEqual([])
  })

  it('is rejected after any single bit of a seal, which has no body, has flipped', () => {
    const bytes = batchOf(new Uint8Array(0))
    const missed: number[] = []
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >>> 3] ^= 1 << (bit & 7)
      if (isValid(bytes)) missed.push(bit)
      bytes[bit >>> 3] ^= 1 << (bit & 7)
    }
    expect(missed).toEqual([])
  })

  it('is rejected at every other position, so that stale bytes never pass for new ones', () => {
    const bytes = batchOf(new Uint8Array(8))
    fc.assert(
      fc.property(fc.maxSafeNat(), (elsewhere) => {
        fc.pre(elsewhere !== position)
        expect(readBatchHeader(bytes, 0, elsewhere, bytes.length)).toBeUndefined()
      }),
    )
    expect(readBatchHeader(bytes, 0, position + 2 ** 32, bytes.length)).toBeUndefined()
  })

  it('is rejected if its length leaves the room it has', () => {
    const bytes = batchOf(new Uint8Array(64))
    for (let limit = 0; limit < bytes.length; limit++) {
      expect(readBatchHeader(bytes, 0, position, limit)).toBeUndefined()
    }
    expect(readBatchHeader(bytes, 0, position, bytes.length)).toBeDefined()
  })

  it.each([0, 8, 40, 47, 49, 52, 2 ** 31, 2 ** 32 - 8, 2 ** 32 - 1])(
    'is rejected with a length of %i even under a right CRC',
    (length) => {
      const bytes = new Uint8Array(128)
      writeBatchHeader(bytes, new Uint32Array(bytes.buffer), 0, length, 1, position, 1, 1, 1, 0, 0)
      expect(readBatchHeader(bytes, 0, position, bytes.length)).toBeUndefined()
    },
  )

  it('is not seen in zeros', () => {
    expect(readBatchHeader(new Uint8Array(4096), 0, 0, 4096)).toBeUndefined()
  })

  it('never comes out of random bytes, and looking for it never reads outside them', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(220),
        fc.maxSafeNat(),
        fc.nat(),
        (bytes, at, where, limit) => {
          expect(readBatchHeader(bytes, at, where, limit)).toBeUndefined()
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
