/** `SEED=1+1500` for more of them; `npm run faults -- --only schedules` runs them too. */
import { expect, it } from 'vitest'
import { liveScheduled } from '../support/later-lives.js'
import { seedsFrom } from '../support/seeded.js'

for (const seed of seedsFrom(1, 60))
  it(`delivers each once, in order, through crashes and jumps of the clock (seed ${seed})`, async () => {
    expect(await liveScheduled(seed)).toBeGreaterThanOrEqual(0)
  })
