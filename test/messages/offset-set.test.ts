/** A set of offsets is what a plain set of numbers says, at every edge of its words. */
import { expect, it } from 'vitest'
import type { RecordPlace } from '../../src/messages/chunk-cursor.js'
import { OffsetSet } from '../../src/messages/offset-set.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

it('has what was put in, in order, in any part of its range', () => {
  for (const seed of seedsFrom(1, 30)) {
    const random = new Seeded(seed)
    const first = random.pick([0, 1, 31, 2 ** 33 + 5])
    const count = random.pick([0, 1, 32, 33, 64, 200])
    const truth = Array.from({ length: count }, (_, index) => first + index).filter(() => random.chance(0.3))
    const set = OffsetSet.over(first, first + count)
    for (const offset of [...truth].reverse()) set.add(offset)
    const other = new OffsetSet(set.only)
    for (let offset = first; offset < first + count + 40; offset++)
      expect(other.matches({ offset } as RecordPlace), `seed ${seed}`).toBe(truth.includes(offset))
    for (let from = first; from <= first + count; from++)
      for (const to of [from, from + 1, from + random.below(70), first + count]) {
        const most = 1 + random.below(20)
        const wanted = truth.filter((offset) => offset >= from && offset < to)
        expect(other.some(from, to, most), `seed ${seed}`).toEqual(wanted.slice(0, most))
      }
  }
})
