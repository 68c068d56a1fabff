/** Whoever looks up one message after the other leaves the event loop its turns. */
import { afterEach, expect, it, vi } from 'vitest'
import { TurnPace } from '../../../src/dispatcher/reads/turn-pace.js'

afterEach(() => {
  vi.restoreAllMocks()
})

/** How many lookups are answered until the event loop has to turn, if each takes so long. */
async function lookupsInTurn(msEach: number): Promise<number> {
  let now = 1_000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const pace = new TurnPace()
  for (let lookups = 1; ; lookups++) {
    now += msEach
    const later = pace.afterLookups(1)
    if (later === undefined) continue
    await later
    expect(pace.afterLookups(1)).toBeUndefined()
    return lookups
  }
}

it('quick ones are answered some hundred in a turn', async () => {
  expect(await lookupsInTurn(0.001)).toBe(513)
})

it('where the application takes its time for each, only some', async () => {
  expect(await lookupsInTurn(0.1)).toBe(32)
  expect(await lookupsInTurn(10)).toBe(16)
})

it('several at once count each', () => {
  const pace = new TurnPace()
  expect(pace.afterLookups(512)).toBeUndefined()
  expect(pace.afterLookups(1)).toBeInstanceOf(Promise)
})
