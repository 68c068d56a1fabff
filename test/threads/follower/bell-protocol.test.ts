/** `SEED=n npx vitest run test/threads/follower/bell-protocol` replays one life, `SEED=n+500` makes 500. */
import { describe, expect, it } from 'vitest'
import { type BellMutant, FollowedLog } from '../../support/followed-log.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

const steps = 120

async function live(seed: number, mutant?: BellMutant): Promise<void> {
  const log = new FollowedLog(new Seeded(seed), mutant)
  for (let step = 0; step < steps; step++) await log.step()
  await log.settle()
}

describe('owners that are killed, cut off and come again, and those who follow them', () => {
  for (const seed of seedsFrom(1, 40)) {
    it(`no follower knows more than its owner, misses anything, or shows what is cut (SEED=${seed})`, () => live(seed))
  }

  const broken: [BellMutant, RegExp][] = [
    ['rings first', /more than its owner|its owner does not/],
    ['any epoch', /more than its owner|will cut|has cut|another/],
    ['no owner', /will cut|has cut|another|missed something/],
    ['torn tail', /will cut|has cut|another/],
    ['no looks', /missed something/],
  ]
  for (const [mutant, complaint] of broken) {
    it(`the mutant "${mutant}" is found`, async () => {
      for (const seed of seedsFrom(1, 300)) {
        try {
          await live(seed, mutant)
        } catch (error) {
          expect((error as Error).message).toMatch(complaint)
          return
        }
      }
      expect.fail('no life was broken')
    })
  }
})
