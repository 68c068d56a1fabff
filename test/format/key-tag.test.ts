import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { tagOf } from '../../src/format/key-tag.js'
import { Seeded } from '../support/seeded.js'

it('the tag of a key is its CRC-32, odd, however long the key is and wherever it stands', () => {
  const random = new Seeded(1)
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length: length + 9 }, () => random.below(256))
    const key = bytes.subarray(5, 5 + length)
    expect(tagOf(bytes, 5, 5 + length)).toBe((crc32(key) | 1) >>> 0)
    expect(tagOf(key)).toBe((crc32(key) | 1) >>> 0)
  }
})
