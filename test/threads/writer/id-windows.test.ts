import { expect, it } from 'vitest'
import { type IdPlace, type KnownId, placeOf } from '../../../src/threads/writer/id-table.js'
import { IdWindows } from '../../../src/threads/writer/id-windows.js'
import { liveWithIds } from '../../support/named-messages.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it.each(seedsFrom(1, 6))('under one id nothing is written twice, over kills and power cuts (SEED=%i)', async (seed) => {
  expect(await liveWithIds(new Seeded(seed))).toBeGreaterThan(100)
})

const span = (windowMs: number, max: number) => ({ windowMs, max })
const encoder = new TextEncoder()
const placed = (id: string): [Uint8Array, IdPlace] => [encoder.encode(id), placeOf(encoder.encode(id))]

interface Named {
  id: string
  offset: number
  time: number
}

const known = (ids: readonly Named[]): KnownId[] => ids.map(({ id, ...rest }) => ({ id: encoder.encode(id), ...rest }))

/** @param inLog what the log holds, by topic */
function windowsOver(inLog: Record<number, Named[]> = {}) {
  const clock = { time: 10_000 }
  const asked: [number, number][] = []
  const recall = (topic: number, since: number) => {
    asked.push([topic, since])
    return known((inLog[topic] ?? []).filter(({ time }) => time >= since))
  }
  return { clock, asked, windows: new IdWindows(recall, () => clock.time) }
}

it('an id is known for as long as its topic remembers, and by that topic only', () => {
  const { windows, clock } = windowsOver()
  expect(windows.find(1, ...placed('a'), span(500, 10))).toBeUndefined()
  windows.note(1, ...placed('a'), 7, 10_000)
  expect([windows.find(1, ...placed('a'), span(500, 10)), windows.find(2, ...placed('a'), span(500, 10))]).toEqual([
    7,
    undefined,
  ])
  clock.time = 10_500
  expect(windows.find(1, ...placed('a'), span(500, 10))).toBe(7)
  clock.time = 10_501
  expect(windows.find(1, ...placed('a'), span(500, 10))).toBeUndefined()
})

it('of more than it remembers the oldest are forgotten', () => {
  const { windows } = windowsOver()
  for (let offset = 0; offset < 5; offset++) {
    windows.find(0, ...placed(`id ${offset}`), span(500, 3))
    windows.note(0, ...placed(`id ${offset}`), offset, 10_000)
  }
  expect([0, 1, 2, 3, 4].map((number) => windows.find(0, ...placed(`id ${number}`), span(500, 3)))).toEqual([
    undefined,
    undefined,
    2,
    3,
    4,
  ])
})

it('is read out of the log once, with the first message of an id, and again for who asks further back', () => {
  const inLog = { 0: [4_000, 9_000, 9_800].map((time, offset) => ({ id: `id ${offset % 2}`, offset, time })) }
  const { windows, asked } = windowsOver(inLog)
  expect([
    windows.find(0, ...placed('id 0'), span(1_000, 10)),
    windows.find(0, ...placed('id 1'), span(1_000, 10)),
  ]).toEqual([2, 1])
  expect(windows.find(0, ...placed('id 0'), span(7_000, 10))).toBe(0)
  expect(windows.find(0, ...placed('id 0'), span(1_000, 10))).toBe(0)
  expect(asked).toEqual([
    [0, 9_000],
    [0, 3_000],
  ])
})

it('what was read by others counts when all of it is there, and what came meanwhile stays', () => {
  const inLog = { 0: [{ id: 'old', offset: 0, time: 9_000 }] }
  const { windows, asked, clock } = windowsOver(inLog)
  windows.learn(1, span(500, 10), 'first', known([{ id: 'a', offset: 3, time: 9_900 }]))
  windows.learn(1, span(500, 10), 'more', known([{ id: 'b', offset: 4, time: 9_950 }]))
  windows.learn(1, span(500, 10), 'last', known([{ id: 'a', offset: 5, time: 9_960 }]))
  expect(['a', 'b'].map((id) => windows.find(1, ...placed(id), span(500, 10)))).toEqual([3, 4])
  expect(asked).toEqual([])
  // Known for a short time, then asked for a longer one: between the reading and its end something is appended.
  windows.learn(0, span(500, 10), 'only', [])
  windows.learn(0, span(2_000, 10), 'first', known([{ id: 'old', offset: 0, time: 9_000 }]))
  windows.note(0, ...placed('new'), 1, 10_000)
  windows.learn(0, span(2_000, 10), 'last', [])
  expect(['old', 'new'].map((id) => windows.find(0, ...placed(id), span(2_000, 10)))).toEqual([0, 1])
  // A reading that has begun anew counts from there; less than is known is not needed.
  windows.learn(0, span(9_000, 10), 'first', known([{ id: 'x', offset: 9, time: 9_999 }]))
  windows.learn(0, span(9_000, 10), 'only', known([{ id: 'old', offset: 0, time: 9_000 }]))
  windows.learn(0, span(100, 1), 'only', [])
  windows.learn(0, span(9_000, 10), 'last', [])
  expect(['old', 'new', 'x'].map((id) => windows.find(0, ...placed(id), span(9_000, 10)))).toEqual([0, 1, undefined])
  clock.time = 20_000
  expect(windows.find(0, ...placed('new'), span(9_000, 10))).toBeUndefined()
  expect(asked).toEqual([])
})

it('of several messages of one id the next one counts when the first is forgotten', () => {
  const inLog = { 0: [6_000, 9_500].map((time, offset) => ({ id: 'a', offset, time })) }
  const { windows, clock } = windowsOver(inLog)
  const found = () => windows.find(0, ...placed('a'), span(5_000, 10))
  expect(found()).toBe(0)
  clock.time = 11_001
  expect(found()).toBe(1)
  // The same where the window grows while it is at work.
  windows.learn(1, span(1_000, 10), 'only', known([{ id: 'a', offset: 9, time: 10_900 }]))
  windows.learn(1, span(5_000, 10), 'first', known([{ id: 'a', offset: 3, time: 6_100 }]))
  windows.learn(1, span(5_000, 10), 'last', known([{ id: 'a', offset: 9, time: 10_900 }]))
  const grown = () => windows.find(1, ...placed('a'), span(5_000, 10))
  expect(grown()).toBe(3)
  clock.time = 11_101
  expect(grown()).toBe(9)
  clock.time = 15_901
  expect(grown()).toBeUndefined()
})
