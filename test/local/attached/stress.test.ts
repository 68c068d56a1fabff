import { expect, it } from 'vitest'
import { report } from '../../scenarios/support.js'

it('of what threads do and are told before they are terminated at random, nothing is lost, doubled or out of order', async () => {
  const seed = Number(process.env.SEED ?? 20_261_126)
  const seen = await report('attached-stress.mjs', [`${seed}`, '24', '3'])
  expect(seen).toMatchObject({ seed, lives: 24 })
  expect(seen.messages).toBeGreaterThan(0)
})
