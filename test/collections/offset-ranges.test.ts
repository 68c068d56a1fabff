/** Against the plain set of offsets. */
import { expect, it } from 'vitest'
import { OffsetRanges } from '../../src/collections/offset-ranges.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

it.each(seedsFrom(1, 20))(
  'holds what was added and not removed, as ranges that neither overlap nor touch (SEED=%i)',
  (seed) => {
    const random = new Seeded(seed)
    const ranges = new OffsetRanges()
    const offsets = new Set<number>()
    for (let step = 0; step < 200; step++) {
      const first = random.below(40)
      const end = first + random.below(8)
      const each = Array.from({ length: end - first }, (_, index) => first + index)
      if (random.chance(0.5) && end > first) {
        expect(ranges.add(first, end)).toBe(each.some((offset) => !offsets.has(offset)))
        for (const offset of each) offsets.add(offset)
      } else {
        ranges.remove(first, end)
        for (const offset of each) offsets.delete(offset)
      }
      expect(
        ranges.list.flatMap((range) => Array.from({ length: range.end - range.first }, (_, at) => range.first + at)),
      ).toEqual([...offsets].sort((a, b) => a - b))
      for (const [index, range] of ranges.list.entries()) {
        expect(range.end).toBeGreaterThan(range.first)
        if (index > 0) expect(range.first).toBeGreaterThan(ranges.list[index - 1].end)
      }
    }
  },
)
