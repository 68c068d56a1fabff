import { expect, it } from 'vitest'
import { radixSorted } from '../../../src/storage/side/radix-sort.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it('rows are in the order of their hashes, those of one hash as they came', () => {
  for (const seed of seedsFrom(1, 30)) {
    const random = new Seeded(seed)
    // Many of one hash, or all different in one digit only.
    const shift = random.pick([0, 11, 22])
    const bits = random.pick([1, 8, 32])
    const draw = () => (bits === 32 ? random.below(2 ** 32) : (random.below(2 ** bits) << shift) >>> 0)
    const hashes = Array.from({ length: random.below(3_000) }, draw)
    const truth = hashes.map((_, row) => row).sort((a, b) => hashes[a] - hashes[b] || a - b)
    const sorted = radixSorted(Uint32Array.from(hashes.flatMap((hash, row) => [hash, row])))
    expect([...sorted], `seed ${seed}`).toEqual(truth.flatMap((row) => [hashes[row], row]))
  }
})
