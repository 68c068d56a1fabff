/** `SEED=n npx vitest run test/threads/follower/bell-protocol` replays one life, `SEED=n+500` makes 500. */
import { describe, expect, it } from 'vitest'
import { type BellMutant, FollowedLog } from '../../support/followed-log.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

const steps = 120

async function live(seed: number, mutant?: BellMutant): Promise<FollowedLog> {
  const log = new FollowedLog(new Seeded(seed), mutant)
  for (let step = 0; step < steps; step++) await log.step()
  await log.settle()
  return log
}

describe('owners that are killed, cut off and come again, and those who follow them', () => {
  let shortWays = 0
  for (const seed of seedsFrom(1, 40)) {
    it(`no follower knows more than its owner, misses anything, or shows what is cut (SEED=${seed})`, async () => {
      shortWays += (await live(seed)).shortWays
    })
  }

  it('some of it was taken in by the threads of applications', () => {
    expect(shortWays).toBeGreaterThan(0)
  })

  /** Each with a seed that is not far from one that finds it. */
  const broken: [BellMutant, RegExp, number][] = [
    ['rings first', /more than its owner|its owner does not/, 1],
    ['any epoch', /more than its owner|will cut|has cut|another/, 8],
    ['no owner', /will cut|has cut|another|missed something/, 38],
    ['torn tail', /will cut|has cut|another/, 1],
    ['no looks', /missed something/, 3],
  ]
  for (const [mutant, complaint, from] of broken) {
    it(`the mutant "${mutant}" is found`, async () => {
      for (const seed of seedsFrom(from, 300)) {
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
