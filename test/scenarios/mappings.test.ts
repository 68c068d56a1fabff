import { expect, it } from 'vitest'
import { report, temporaryFolder } from './support.js'

interface Round {
  isComplete: boolean
  mapped: number
  hasGone: boolean
  isGivenBack: boolean
  counted: number
  resident: number
}

it('idle mappings go without any traffic, the writer’s too, and the log works on as if nothing had happened', async () => {
  const { rounds, left } = await report<{ rounds: Round[]; left: string[] }>('idle-mappings.mjs', [
    'mmap',
    temporaryFolder(),
  ])
  expect(rounds.length).toBe(3)
  for (const { mapped, ...rest } of rounds) {
    expect(mapped).toBeGreaterThan(0)
    expect(rest).toEqual({ isComplete: true, hasGone: true, isGivenBack: true, counted: 0, resident: 0 })
  }
  expect(left).toEqual([])
})

it('with io file nothing is ever mapped', async () => {
  const { rounds, left } = await report<{ rounds: Round[]; left: string[] }>('idle-mappings.mjs', [
    'file',
    temporaryFolder(),
  ])
  for (const round of rounds)
    expect(round).toEqual({ isComplete: true, mapped: 0, hasGone: true, isGivenBack: true, counted: 0, resident: 0 })
  expect(left).toEqual([])
})
