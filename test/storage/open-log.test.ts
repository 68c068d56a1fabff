import { expect, it } from 'vitest'
import { reopenAndCut } from '../support/reopening.js'
import { Seeded } from '../support/seeded.js'

it('a log that was opened again is not taken for one that was closed, whatever a power cut leaves, and no epoch comes twice', () => {
  for (let seed = 1; seed <= 10; seed++) expect(reopenAndCut(new Seeded(seed))).toBeGreaterThan(0)
})
