import { expect, it } from 'vitest'
import { raceForVersions } from '../support/key-versions.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

it.each(seedsFrom(1, 10))(
  'each message stands behind the one with its key that it expected (SEED=%i)',
  async (seed) => {
    expect(await raceForVersions(new Seeded(seed))).toBeGreaterThan(5)
  },
)
