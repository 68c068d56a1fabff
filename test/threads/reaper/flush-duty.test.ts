/** No flush answers for what it has not flushed, whatever the writer does meanwhile, and none that is wished for is left out. */
import { expect, it } from 'vitest'
import { watchFlushing } from '../../support/flushing.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it.each(seedsFrom(1, 12))('what is answered is on the device, at every moment (SEED=%i)', async (seed) => {
  expect(await watchFlushing(new Seeded(seed))).toBeGreaterThan(100)
})
