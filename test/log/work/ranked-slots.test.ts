import { expect, it } from 'vitest'
import { RankedSlots } from '../../../src/log/work/ranked-slots.js'

it('gives a slot that comes free to the highest that waits, and every sixteenth to the lowest', async () => {
  const slots = new RankedSlots(1, 3)
  const begun: number[] = []
  let running = 0
  const run = (rank: number) =>
    slots.ofRank(rank).within(async () => {
      expect(++running).toBe(1)
      begun.push(rank)
      await undefined
      running -= 1
    })
  await Promise.all([0, ...Array(20).fill(2), 0, 0, 1].map(run))
  expect(begun).toEqual([0, ...Array(15).fill(2), 0, ...Array(5).fill(2), 1, 0])
})

it('goes on when what it was given for fails', async () => {
  const slots = new RankedSlots(1, 2)
  const failing = slots.ofRank(0).within(async () => Promise.reject(new Error('no')))
  const next = slots.ofRank(1).within(async () => 'done')
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('done')
})
