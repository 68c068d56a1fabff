import { expect, it } from 'vitest'
import { watchDesks } from '../../support/desk-lives.js'
import { Seeded } from '../../support/seeded.js'

it('whatever is asked, settled and ended in whatever order: nothing is lost, with two at a time, or comes again', async () => {
  let messages = 0
  for (let seed = 1; seed <= 60; seed++) messages += await watchDesks(new Seeded(seed))
  expect(messages).toBeGreaterThan(60)
})
