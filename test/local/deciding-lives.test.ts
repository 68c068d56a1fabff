import { expect, it } from 'vitest'
import { decideAndCut, emptyDecidingTally } from '../support/deciding-lives.js'
import { seedsFrom } from '../support/seeded.js'

it('of conditions, transactions and side indexes at work a power cut leaves what was written at one moment, or nothing of it', async () => {
  const tally = emptyDecidingTally()
  for (const seed of seedsFrom(1, 4)) await decideAndCut(seed, 12, tally)
  expect(Object.entries(tally).filter(([, count]) => count === 0)).toEqual([])
})
