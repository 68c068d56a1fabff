import { expect, it } from 'vitest'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { liveAtOnce } from '../../support/written-at-once.js'

it.each(seedsFrom(1, 6))(
  'of a transaction all is there or nothing, over kills and power cuts (SEED=%i)',
  async (seed) => {
    expect(await liveAtOnce(new Seeded(seed))).toBeGreaterThan(40)
  },
)
