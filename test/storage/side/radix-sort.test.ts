import { expect, it } from 'vitest'
import { radixSorted } from '../../../src/storage/side/radix-sort.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it('rows are in the order of their hashes, those of one hash as they came; what was given is as it was', () => {
  for (const seed of seedsFrom(1, 30)) {
    const random = new Seeded(seed)
    // Many of one hash, or all different in one digit only.
    const shift = random.pick([0, 11, 22])
    const bits = random.pick([1, 8, 32])
    const draw = () => (bits === 32 ? random.below(2 ** 32) : (random.below(2 ** bits) << shift) >>> 0)
    const hashes = Uint32Array.from({ length: random.below(3_000) }, draw)
    const ordinals = Uint32Array.from(hashes, (_, row) => row)
    const given = [hashes.slice(), ordinals.slice()]
    const sorted = radixSorted(hashes, ordinals)
    const truth = [...ordinals].sort((a, b) => hashes[a] - hashes[b] || a - b)
    expect([...sorted.ordinals], `seed ${seed}`).toEqual(truth)
    expect([...sorted.hashes]).toEqual(truth.map((row) => hashes[row]))
    expect([hashes, ordinals]).toEqual(given)
  }
})
