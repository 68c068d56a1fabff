/** What threads hand over through lanes is taken, whatever they do meanwhile and wherever they end. */
import { expect, it } from 'vitest'
import { watchLanes, watchNaming } from '../../support/lane-world.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it.each(seedsFrom(1, 12))('what is handed over is in the log, and every lane comes back (SEED=%i)', async (seed) => {
  expect(await watchLanes(new Seeded(seed))).toBeGreaterThan(30)
})

it.each(seedsFrom(1, 3))('a name has one number for all, at every moment (SEED=%i)', async (seed) => {
  expect(await watchNaming(new Seeded(seed))).toBeGreaterThan(20)
})
