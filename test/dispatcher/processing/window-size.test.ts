/** How many messages a processor leases at a time follows how long its tasks take. */
import { expect, it } from 'vitest'
import { WindowSize } from '../../../src/dispatcher/processing/window-size.js'

it('doubles while whole windows are done quickly, up to a bound', () => {
  const size = new WindowSize(100)
  for (let count = 0; count < 30; count++) size.adapt(1, size.count)
  expect(size.count).toBe(65_536)
})

it('stays as it is while windows are done in part, or take their time', () => {
  const size = new WindowSize(100)
  size.adapt(1, 99)
  size.adapt(20, 100)
  expect(size.count).toBe(100)
})

it('halves while tasks are long, and is never below one batch', () => {
  const size = new WindowSize(100)
  for (let count = 0; count < 3; count++) size.adapt(1, size.count)
  expect(size.count).toBe(800)
  size.adapt(1_000, 800)
  expect(size.count).toBe(400)
  for (let count = 0; count < 30; count++) size.adapt(1_000, size.count)
  expect(size.count).toBe(100)
})

it('has no room in a window that is full, or whose slowest lane is a whole window behind', () => {
  const size = new WindowSize(100)
  expect(size.room(100, 30)).toBe(70)
  expect(size.room(100, 100)).toBe(0)
  expect(size.room(65_536, 0)).toBe(0)
})
