import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  assertGroupState,
  committedOf,
  decodeGroupHeader,
  decodeGroupIdentity,
  decodeGroupRecord,
  encodeGroupHeader,
  encodeGroupIdentity,
  encodeGroupRecord,
  type GroupState,
  groupCellAt,
  groupCellBytes,
  groupFileVersion,
  groupRecordAt,
  groupSectorBytes,
  putGroupState,
  sealGroupRecord,
  sequenceAfter,
} from '../../src/format/group-layout.js'
import { logMarkOf, newLogId } from '../../src/format/log-id.js'
import { maxGroupRanges, maxNameBytes } from '../../src/limits.js'

const cells = fc.nat(4095)
const sequences = fc.integer({ min: 1, max: 2 ** 32 - 1 })
const names = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/).filter((name) => name.length <= maxNameBytes)
/** Any state, up to more ranges than a record keeps. */
const states: fc.Arbitrary<GroupState> = fc
  .record({
    committed: fc.nat(2 ** 45),
    steps: fc.array(fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 40 })), {
      maxLength: 40,
    }),
  })
  .map(({ committed, steps }) => {
    let at = committed
    const ranges = steps.map(([gap, length]) => {
      const first = at + gap
      at = first + length
      return { first, end: at }
    })
    return { committed, ranges }
  })
const flipped = (bytes: Uint8Array, bit: number) => {
  const copy = bytes.slice()
  copy[bit >>> 3] ^= 1 << (bit & 7)
  return copy
}

describe('groups file', () => {
  it('keeps its version', () => {
    const logMark = logMarkOf(newLogId())
    expect(decodeGroupHeader(encodeGroupHeader(logMark))).toEqual({ version: groupFileVersion, logMark })
    expect(decodeGroupHeader(new Uint8Array(groupCellBytes))).toBeUndefined()
    expect(decodeGroupHeader(new Uint8Array(5))).toBeUndefined()
  })

  it('keeps the names of a group, in its cell only', () => {
    fc.assert(
      fc.property(cells, names, names, (cell, topic, name) => {
        const bytes = encodeGroupIdentity(cell, { topic, name })
        expect(bytes.length).toBe(groupSectorBytes)
        expect(decodeGroupIdentity(cell, bytes)).toEqual({ topic, name })
        expect(decodeGroupIdentity(cell + 1, bytes)).toBeUndefined()
      }),
    )
  })

  it('has room for the longest names', () => {
    const longest = 'n'.repeat(maxNameBytes)
    const bytes = encodeGroupIdentity(0, { topic: longest, name: longest })
    expect(decodeGroupIdentity(0, bytes)).toEqual({ topic: longest, name: longest })
  })

  it('keeps a state, with the first of its ranges, in its cell only', () => {
    fc.assert(
      fc.property(cells, sequences, states, (cell, sequence, state) => {
        const bytes = encodeGroupRecord(cell, { sequence, state })
        const kept = { committed: state.committed, ranges: state.ranges.slice(0, maxGroupRanges) }
        expect(bytes.length).toBe(groupSectorBytes)
        expect(decodeGroupRecord(cell, bytes)).toEqual({ sequence, state: kept })
        expect(committedOf(bytes)).toBe(state.committed)
        expect(decodeGroupRecord(cell + 1, bytes)).toBeUndefined()
      }),
    )
  })

  it('leaves nothing of the state before it in a sector that is used again', () => {
    fc.assert(
      fc.property(states, states, (before, after) => {
        const sector = encodeGroupRecord(1, { sequence: 5, state: before })
        putGroupState(new DataView(sector.buffer), 0, after)
        sealGroupRecord(sector, 1, 6)
        expect(sector).toEqual(encodeGroupRecord(1, { sequence: 6, state: after }))
      }),
    )
  })

  it('rejects every record, identity and header with a flipped bit', () => {
    fc.assert(
      fc.property(states, fc.nat(groupSectorBytes * 8 - 1), (state, bit) => {
        const record = encodeGroupRecord(3, { sequence: 7, state })
        expect(decodeGroupRecord(3, flipped(record, bit))).toBeUndefined()
        const identity = encodeGroupIdentity(3, { topic: 'a', name: 'b' })
        expect(decodeGroupIdentity(3, flipped(identity, bit))).toBeUndefined()
        if (bit < 64 * 8)
          expect(decodeGroupHeader(flipped(encodeGroupHeader(logMarkOf(newLogId())), bit))).toBeUndefined()
      }),
    )
  })

  it('takes no blank and no short sector for anything', () => {
    for (const bytes of [new Uint8Array(groupSectorBytes), new Uint8Array(100), new Uint8Array(0)]) {
      expect(decodeGroupIdentity(0, bytes)).toBeUndefined()
      expect(decodeGroupRecord(0, bytes)).toBeUndefined()
    }
  })

  it('puts a record and its successor into different sectors of the cell, also where the sequence wraps', () => {
    for (const sequence of [1, 2, 3, 2 ** 32 - 2, 2 ** 32 - 1]) {
      const [here, next] = [sequence, sequenceAfter(sequence)].map((each) => groupRecordAt(9, each) - groupCellAt(9))
      expect([here, next].sort()).toEqual([groupSectorBytes, 2 * groupSectorBytes].sort())
    }
    // 0 stands for "never written".
    expect(sequenceAfter(2 ** 32 - 1)).toBeGreaterThan(0)
    expect(groupCellAt(0) % groupCellBytes).toBe(0)
  })

  it('refuses to write what is no state', () => {
    const range = { first: 5, end: 7 }
    for (const state of [
      { committed: -1, ranges: [] },
      { committed: 1.5, ranges: [] },
      { committed: 2 ** 53, ranges: [] },
      { committed: 5, ranges: [range] },
      { committed: 0, ranges: [range, range] },
      { committed: 0, ranges: [range, { first: 7, end: 9 }] },
      { committed: 0, ranges: [{ first: 5, end: 5 }] },
      { committed: 0, ranges: [{ first: 5, end: 2 ** 53 }] },
    ]) {
      expect(() => assertGroupState(state), JSON.stringify(state)).toThrow('invariant')
    }
    expect(() => assertGroupState({ committed: 4, ranges: [range] })).not.toThrow()
  })
})
