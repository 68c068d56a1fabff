import { expect, it } from 'vitest'
import {
  type BellRecord,
  bellBytes,
  decodeBell,
  newBell,
  nextBellSequence,
  putBell,
} from '../../src/format/bell-layout.js'

const mark = '0123456789abcdef'
const bell: BellRecord = { sequence: 7, epoch: 3, published: 2 ** 40 + 12, trim: 2 ** 33 }

function written(given: BellRecord): Uint8Array<ArrayBuffer> {
  const bytes = newBell(mark)
  putBell(bytes, new DataView(bytes.buffer), given)
  return bytes
}

it('says what was written', () => {
  expect(decodeBell(written(bell), mark)).toEqual(bell)
})

it('is none with any bit changed, cut short, of another log, or never rung', () => {
  const bytes = written(bell)
  for (let bit = 0; bit < bellBytes * 8; bit++) {
    const changed = bytes.slice()
    changed[bit >>> 3] ^= 1 << (bit & 7)
    expect(decodeBell(changed, mark), `bit ${bit}`).toBeUndefined()
  }
  expect(decodeBell(bytes.subarray(0, bellBytes - 1), mark)).toBeUndefined()
  expect(decodeBell(bytes, 'f123456789abcdef')).toBeUndefined()
  expect(decodeBell(newBell(mark), mark)).toBeUndefined()
})

it('never says that more is deleted than there is', () => {
  expect(decodeBell(written({ ...bell, trim: bell.published + 8 }), mark)).toBeUndefined()
})

it('has a number that wraps past the one for "never rung"', () => {
  expect(nextBellSequence(1)).toBe(2)
  expect(nextBellSequence(2 ** 32 - 1)).toBe(1)
})
