import { expect, it } from 'vitest'
import { IdWindows, type KnownId } from '../../../src/threads/writer/id-windows.js'
import { liveWithIds } from '../../support/named-messages.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it.each(seedsFrom(1, 6))('under one id nothing is written twice, over kills and power cuts (SEED=%i)', async (seed) => {
  expect(await liveWithIds(new Seeded(seed))).toBeGreaterThan(100)
})

/** @param inLog what the log holds, by topic */
function windowsOver(inLog: Record<number, KnownId[]> = {}) {
  const clock = { time: 10_000 }
  const asked: [number, number][] = []
  const recall = (topic: number, since: number) => {
    asked.push([topic, since])
    return (inLog[topic] ?? []).filter(({ time }) => time >= since)
  }
  return { clock, asked, windows: new IdWindows(recall, () => clock.time) }
}

it('an id is known for as long as its topic remembers, and by that topic only', () => {
  const { windows, clock } = windowsOver()
  expect(windows.find(1, 'a', 500, 10)).toBeUndefined()
  windows.note(1, { id: 'a', offset: 7, time: 10_000 })
  expect([windows.find(1, 'a', 500, 10), windows.find(2, 'a', 500, 10)]).toEqual([7, undefined])
  clock.time = 10_500
  expect(windows.find(1, 'a', 500, 10)).toBe(7)
  clock.time = 10_501
  expect(windows.find(1, 'a', 500, 10)).toBeUndefined()
})

it('of more than it remembers the oldest are forgotten', () => {
  const { windows } = windowsOver()
  for (let offset = 0; offset < 5; offset++) {
    windows.find(0, `id ${offset}`, 500, 3)
    windows.note(0, { id: `id ${offset}`, offset, time: 10_000 })
  }
  expect([0, 1, 2, 3, 4].map((number) => windows.find(0, `id ${number}`, 500, 3))).toEqual([
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
  expect([windows.find(0, 'id 0', 1_000, 10), windows.find(0, 'id 1', 1_000, 10)]).toEqual([2, 1])
  expect(windows.find(0, 'id 0', 7_000, 10)).toBe(0)
  expect(windows.find(0, 'id 0', 1_000, 10)).toBe(0)
  expect(asked).toEqual([
    [0, 9_000],
    [0, 3_000],
  ])
})
