/** What is published can be read behind any store of the writer, times never go back, and the dispatcher is woken. */
import { expect, it } from 'vitest'
import { watchPublishing } from '../support/publishing.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

it.each(seedsFrom(1, 6))(
  'another thread finds all that the shared words promise, at every moment (SEED=%i)',
  async (seed) => {
    expect(await watchPublishing(new Seeded(seed))).toBeGreaterThan(100)
  },
)
