/** `npm run faults -- --only packing` makes more of these cuts. */
import { expect, it } from 'vitest'
import { cutWhilePacking } from '../../support/packing-cuts.js'
import { Seeded } from '../../support/seeded.js'

it('a packing that is killed, or cut by the power, at any of its calls leaves the log as it was, or packed', async () => {
  const random = new Seeded(1)
  const { calls, images, between } = await cutWhilePacking(random, () => [
    'kept',
    random.pick(['lost', 'pages', 'sectors']),
  ])
  expect(calls).toBeGreaterThan(20)
  expect(images).toBe(2 * (calls + 1))
  expect(between).toBeGreaterThan(0)
})
