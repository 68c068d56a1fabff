import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  controlBytes,
  controlRecordAt,
  controlRecordBytes,
  decodeControlIdentity,
  decodeControlRecord,
  encodeControlFile,
  encodeControlRecord,
} from '../../src/format/control-layout.js'
import { noFeatures } from '../../src/format/features.js'
import { newLogId } from '../../src/format/log-id.js'

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const words = fc.record({ compatible: word, readOnlyCompatible: word, incompatible: word })
const records = fc.record({
  sequence: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  epoch: word,
  isClean: fc.boolean(),
  published: fc.maxSafeNat(),
  durable: fc.maxSafeNat(),
  trim: fc.maxSafeNat(),
  time: fc.maxSafeNat(),
  bootId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
})
const sample = {
  sequence: 5,
  epoch: 2,
  isClean: true,
  published: 9_000,
  durable: 8_000,
  trim: 0,
  time: 1,
  bootId: 'c0'.repeat(16),
}

function fileWith(a: Uint8Array, b?: Uint8Array): Uint8Array {
  const identity = { version: 1, segmentBytes: 1 << 20, created: 1, features: noFeatures, id: newLogId() }
  const bytes = encodeControlFile(identity)
  bytes.set(a, controlRecordAt[0])
  if (b !== undefined) bytes.set(b, controlRecordAt[1])
  return bytes
}

describe('control file', () => {
  it('keeps its identity', () => {
    fc.assert(
      fc.property(word, word, fc.maxSafeNat(), words, (version, segmentBytes, created, features) => {
        const identity = { version, segmentBytes, created, features, id: newLogId() }
        const bytes = encodeControlFile(identity)
        expect(bytes.length).toBe(controlBytes)
        expect(decodeControlIdentity(bytes)).toEqual(identity)
      }),
    )
  })

  it('keeps a record in either place', () => {
    fc.assert(
      fc.property(records, (record) => {
        const bytes = encodeControlRecord(record)
        expect(decodeControlRecord(fileWith(bytes))).toEqual(record)
        expect(decodeControlRecord(fileWith(new Uint8Array(controlRecordBytes), bytes))).toEqual(record)
      }),
    )
  })

  it('believes the record with the higher sequence', () => {
    const [a, b] = [sample, { ...sample, sequence: 6, durable: 8_500 }]
    expect(decodeControlRecord(fileWith(encodeControlRecord(a), encodeControlRecord(b)))).toEqual(b)
    expect(decodeControlRecord(fileWith(encodeControlRecord(b), encodeControlRecord(a)))).toEqual(b)
  })

  it('falls back to the older record after any bit of the newer one has flipped', () => {
    const newer = encodeControlRecord({ ...sample, sequence: 6 })
    const bytes = fileWith(encodeControlRecord(sample), newer)
    for (let bit = 0; bit < newer.length * 8; bit++) {
      const at = controlRecordAt[1] + (bit >>> 3)
      bytes[at] ^= 1 << (bit & 7)
      expect(decodeControlRecord(bytes)).toEqual(sample)
      bytes[at] ^= 1 << (bit & 7)
    }
  })

  it('has no record when both are damaged or were never written', () => {
    const damaged = encodeControlRecord(sample)
    damaged[20] ^= 1
    expect(decodeControlRecord(fileWith(damaged, damaged))).toBeUndefined()
    expect(decodeControlRecord(fileWith(new Uint8Array(0)))).toBeUndefined()
  })

  it('detects every flipped bit of the first 64 bytes, its identity; those behind and between the records are unused', () => {
    const bytes = fileWith(encodeControlRecord(sample), encodeControlRecord({ ...sample, sequence: 6 }))
    const identity = decodeControlIdentity(bytes)
    const record = decodeControlRecord(bytes)
    const used = (at: number) => at < 64 || controlRecordAt.some((from) => at >= from && at < from + controlRecordBytes)
    for (let at = 0; at < controlBytes; at++) {
      bytes[at] ^= 0x10
      const isSame =
        JSON.stringify(decodeControlIdentity(bytes)) === JSON.stringify(identity) &&
        JSON.stringify(decodeControlRecord(bytes)) === JSON.stringify(record)
      // Record A is the older one: it is used only where B fails.
      const isOlder = at >= controlRecordAt[0] && at < controlRecordAt[0] + controlRecordBytes
      expect(isSame).toBe(!used(at) || isOlder)
      bytes[at] ^= 0x10
    }
    for (let bit = 0; bit < 64 * 8; bit++) {
      bytes[bit >>> 3] ^= 1 << (bit & 7)
      expect(decodeControlIdentity(bytes)).toBeUndefined()
      bytes[bit >>> 3] ^= 1 << (bit & 7)
    }
  })

  it('is nothing in random or short bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_400 }), (bytes) => {
        expect(decodeControlIdentity(bytes)).toBeUndefined()
        expect(decodeControlRecord(bytes)).toBeUndefined()
      }),
    )
  })
})
