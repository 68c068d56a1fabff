import { expect, it } from 'vitest'
import { watchKeys } from '../../support/key-versions.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it.each(seedsFrom(1, 20))(
  'a key that is said to be unchanged is, and most that are are said to be (SEED=%i)',
  (seed) => {
    expect(watchKeys(new Seeded(seed))).toBeGreaterThan(20)
  },
)
