import { expect, it } from 'vitest'
import { agreementOf } from '../../support/damaged-logs.js'
import { seedsFrom } from '../../support/seeded.js'

it('whatever is damaged, and repaired: what get delivers nobody passes over, and what is lost everybody reports', async () => {
  let lost = 0
  let messages = 0
  let hot = 0
  for (const seed of seedsFrom(1, 12)) {
    const agreement = await agreementOf(seed)
    expect(agreement.disagreements).toEqual([])
    lost += agreement.lost
    messages += agreement.messages
    hot += agreement.hot
  }
  // Otherwise nothing was shown.
  if (process.env.SEED === undefined) expect(lost).toBeGreaterThan(100)
  expect(hot).toBeGreaterThan((messages - lost) / 2)
})

it('the same of logs with packed segments', async () => {
  let lost = 0
  for (const seed of seedsFrom(1, 8)) {
    const agreement = await agreementOf(seed, true)
    expect(agreement.disagreements).toEqual([])
    lost += agreement.lost
  }
  if (process.env.SEED === undefined) expect(lost).toBeGreaterThan(50)
})

it('a name that damage has garbled counts for nothing where another segment has it whole', async () => {
  const { lost, disagreements } = await agreementOf(1826048601)
  expect(disagreements).toEqual([])
  expect(lost).toBe(14)
})
