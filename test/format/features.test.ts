import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  featureSet,
  featuresFault,
  featuresOf,
  featureWords,
  joinFeatures,
  knownFeatures,
  noFeatures,
  sameFeatures,
  segmentFault,
  setOf,
} from '../../src/format/features.js'

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const words = fc.record({ compatible: word, readOnlyCompatible: word, incompatible: word })

it('a compatible bit keeps nobody out, a readOnlyCompatible one who writes, an incompatible one everybody; each is named', () => {
  for (let bit = 0; bit < 32; bit++) {
    const value = 2 ** bit
    const name = `bit 0x${value.toString(16)}`
    const compatible = { ...noFeatures, compatible: value }
    expect([featuresFault(compatible, 'read'), featuresFault(compatible, 'write')]).toEqual([undefined, undefined])
    const readOnly = { ...noFeatures, readOnlyCompatible: value }
    expect(featuresFault(readOnly, 'read')).toBeUndefined()
    const unlessIn = (known: number) => ((known & value) !== 0 ? '' : expect.stringContaining(name))
    expect(featuresFault(readOnly, 'write') ?? '').toEqual(unlessIn(knownFeatures.readOnlyCompatible))
    const incompatible = { ...noFeatures, incompatible: value }
    expect(featuresFault(incompatible, 'read') ?? '').toEqual(unlessIn(knownFeatures.incompatible))
    expect(featuresFault(incompatible, 'write') ?? '').toEqual(unlessIn(knownFeatures.incompatible))
    expect(segmentFault(value) ?? '').toEqual(unlessIn(knownFeatures.segment))
  }
  expect(featuresFault({ ...noFeatures, incompatible: 0x80000041 }, 'read')).toContain('bits 0x1, 0x40, 0x80000000')
  expect([featuresFault(noFeatures, 'write'), segmentFault(0)]).toEqual([undefined, undefined])
})

it('words that are joined have the bits of both', () => {
  fc.assert(
    fc.property(words, words, (one, other) => {
      const joined = joinFeatures(one, other)
      expect(sameFeatures(joined, joinFeatures(other, one))).toBe(true)
      expect(sameFeatures(joined, joinFeatures(joined, one))).toBe(true)
      for (const name of ['compatible', 'readOnlyCompatible', 'incompatible'] as const) {
        expect(BigInt(joined[name])).toBe(BigInt(one[name]) | BigInt(other[name]))
      }
    }),
  )
})

it('a set of features and the words of a log say the same, whatever else those say, and no two features share a bit', () => {
  const names = Object.keys(featureWords) as (keyof typeof featureWords)[]
  const all = names.reduce((set, name) => set | featureSet(name), 0)
  for (let set = 0; set <= all; set++) expect(setOf(featuresOf(set))).toBe(set)
  const known = featuresOf(all)
  const others = (word: number, bits: number) => (word & ~bits) >>> 0
  fc.assert(
    fc.property(words, (one) => {
      const unknown = {
        compatible: others(one.compatible, known.compatible),
        readOnlyCompatible: others(one.readOnlyCompatible, known.readOnlyCompatible),
        incompatible: others(one.incompatible, known.incompatible),
      }
      for (const name of names) expect(setOf(joinFeatures(unknown, featureWords[name]))).toBe(featureSet(name))
    }),
  )
})
