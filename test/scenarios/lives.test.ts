import { expect, it } from 'vitest'
import { report } from './support.js'

it('of what threads and followers do and are told before they, or their owner, are killed at random, nothing is lost, doubled or out of order', async () => {
  const seed = Number(process.env.SEED ?? 20_261_126)
  const seen = await report('lives/main.mjs', [`${seed}`, '16', '3', '1'])
  expect(seen).toMatchObject({ seed, lives: 16 })
  expect(seen.messages).toBeGreaterThan(0)
})
