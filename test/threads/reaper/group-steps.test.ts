import { expect, it } from 'vitest'
import { cutAtEveryStepOfCreation, endAtEveryCommit } from '../../support/group-steps.js'
import { Seeded } from '../../support/seeded.js'

it('a commit counts as written only when its record is, wherever the process ends', async () => {
  expect(await endAtEveryCommit(3)).toBeGreaterThanOrEqual(12)
})

it('a group that is there is where it was to begin, wherever the power went while it was made', async () => {
  expect(await cutAtEveryStepOfCreation(new Seeded(1), 10)).toBeGreaterThan(100)
})
